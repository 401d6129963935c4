//! What documents call the figures, and in which order they show them.

/// Sections of the table: title and, for each figure shown, path and label.
pub(super) const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "Training",
        &[
            ("training.tokens", "tokens passed"),
            ("training.samples", "samples passed"),
            ("training.flops.six_nd", "FLOPs by 6ND"),
            ("training.flops.model", "FLOPs, operator-exact"),
            ("training.flops.model_full", "  with attention in full"),
            ("training.mfu", "MFU (operator-exact, dense peak)"),
            ("training.goodput", "goodput"),
            ("training.step_time_s", "step time"),
            ("training.tokens_per_second_per_device", "throughput"),
            ("training.devices", "devices"),
            ("training.instances", "instances"),
            ("training.stranded_devices", "  devices paid for but unused"),
            ("training.device_hours", "device-hours"),
            ("training.wall_clock_days", "wall clock"),
            ("training.memory_gb.weights", "memory: weights"),
            ("training.memory_gb.gradients", "  gradients"),
            ("training.memory_gb.optimizer", "  optimizer state"),
            ("training.memory_gb.activations", "  activations"),
            ("training.memory_gb.allocated", "  allocated, with the rest"),
            ("training.memory_gb.reserved", "  reserved by the process"),
            ("training.memory_gb.capacity", "  there"),
        ],
    ),
    (
        ENERGY_OF_TRAINING,
        &[
            ("training.energy_kwh.it", "IT energy"),
            ("training.energy_kwh.facility", "facility energy (x PUE)"),
            ("training.co2e_kg.location", "CO2e, location-based"),
            ("training.co2e_kg.work", "  of work above idle"),
            ("training.co2e_kg.idle", "  of the idle draw"),
            ("training.co2e_kg.upstream", "CO2e, upstream of the fuels"),
            ("training.co2e_kg.market", "CO2e, market-based"),
            ("training.co2e_kg.marginal", "CO2e, marginal: another view"),
            ("training.co2e_kg.embodied.low", "CO2e, embodied, low"),
            ("training.co2e_kg.embodied.mid", "CO2e, embodied, mid"),
            ("training.co2e_kg.embodied.high", "CO2e, embodied, high"),
            ("training.water_l.on_site", "water, on site"),
            ("training.water_l.off_site", "water, of the electricity"),
            ("sci.training.kg_per_run", "SCI of the run"),
            ("sci.training.kg_per_million_tokens", "SCI per million tokens"),
            ("training.start_window.saving", "saving by the cleanest start"),
            ("training.start_window.saved_co2e_kg", "  in CO2e, location-based"),
        ],
    ),
    (
        "Cost of the training",
        &[
            ("training.cost_usd.compute", "rent of the devices"),
            ("training.cost_usd.host", "rent of their hosts"),
            ("training.cost_usd.unused_commitment", "commitment left unused"),
            ("training.cost_usd.hardware", "amortisation of the hardware"),
            ("training.cost_usd.unused", "hardware without work"),
            ("training.cost_usd.colocation", "colocation"),
            ("training.cost_usd.electricity", "electricity"),
            ("training.cost_usd.maintenance", "maintenance"),
            ("training.cost_usd.storage", "storage"),
            ("training.cost_usd.egress", "egress"),
            ("training.cost_usd.staff", "staff"),
            ("training.cost_usd.total", "total"),
            ("training.flops_per_usd.peak", "FLOP per dollar at peak"),
            ("training.flops_per_usd.achieved", "  achieved"),
        ],
    ),
    (
        "Rent or buy, training",
        &[
            ("training.capex_usd.chips", "to buy: chips"),
            ("training.capex_usd.servers", "  other parts of the servers"),
            ("training.capex_usd.interconnect", "  interconnect"),
            ("training.capex_usd.total", "  in all"),
            ("rent_or_buy.training.capex_usd_per_device", "  per device"),
            ("rent_or_buy.training.running_usd_per_device_h", "to run a device that is owned"),
            ("rent_or_buy.training.rent_usd_per_device_h", "to rent one instead"),
            ("rent_or_buy.training.break_even_months", "buying breaks even after"),
            (
                "rent_or_buy.training.net_present_value_usd_per_device",
                "  NPV over the service life",
            ),
        ],
    ),
    (
        "Rent or buy, service",
        &[
            ("inference.capex_usd.chips", "to buy: chips"),
            ("inference.capex_usd.servers", "  other parts of the servers"),
            ("inference.capex_usd.interconnect", "  interconnect"),
            ("inference.capex_usd.total", "  in all"),
            ("rent_or_buy.inference.capex_usd_per_device", "  per device"),
            ("rent_or_buy.inference.running_usd_per_device_h", "to run a device that is owned"),
            ("rent_or_buy.inference.rent_usd_per_device_h", "to rent one instead"),
            ("rent_or_buy.inference.break_even_months", "buying breaks even after"),
            (
                "rent_or_buy.inference.net_present_value_usd_per_device",
                "  NPV over the service life",
            ),
        ],
    ),
    (
        "Serving, first year",
        &[
            ("inference.ttft_ms.mean", "mean time to first token"),
            ("inference.tpot_ms.mean", "mean time per output token"),
            ("inference.e2e_ms.mean", "mean time of a request"),
            ("inference.replica.devices", "devices of a replica"),
            ("inference.replica.prefill_devices", "  of them for prompts"),
            ("inference.replica.kv_capacity_tokens", "KV cache of a replica"),
            ("inference.replica.max_concurrency", "requests at once"),
            ("inference.replica.max_rate_per_s", "highest rate of a replica"),
            ("inference.speculative.acceptance", "guessed tokens that are accepted"),
            ("inference.speculative.tokens_per_verification", "  tokens a verification yields"),
            ("inference.speculative.draft_share", "  share of a round that drafting takes"),
            ("inference.fleet.peak_rate_per_s", "peak rate"),
            ("inference.fleet.replicas", "replicas"),
            ("inference.fleet.devices", "devices"),
            ("inference.fleet.instances", "instances"),
            ("inference.fleet.stranded_devices", "  devices paid for but unused"),
        ],
    ),
    (
        "Own fleet or hosted model, first year",
        &[
            ("inference.api.per_query_usd", "hosted model, a request"),
            ("inference.api.usd_per_year", "  a year"),
            ("inference.api.fleet_usd_per_year", "own fleet, a year"),
            ("inference.api.break_even_requests_per_day", "break-even"),
            ("inference.api.break_even_tokens_per_month", "  in tokens"),
        ],
    ),
    (
        "Per request",
        &[
            ("inference.per_query.flops", "FLOPs"),
            ("inference.per_query.serving_usd", "cost of serving"),
            ("inference.per_query.loaded_usd", "  with the training"),
            ("inference.per_query.energy_wh", "facility energy"),
            ("inference.per_query.co2e_g.location", "CO2e, location-based"),
            ("inference.per_query.co2e_g.embodied", "CO2e, embodied"),
        ],
    ),
    (
        "Per million tokens",
        &[
            ("inference.per_million_tokens.cost_usd", "cost of serving"),
            ("inference.per_million_tokens.input_usd", "  input tokens"),
            ("inference.per_million_tokens.output_usd", "  output tokens"),
            ("inference.per_million_tokens.energy_kwh", "facility energy"),
            ("inference.per_million_tokens.co2e_kg.location", "CO2e, location-based"),
        ],
    ),
    (
        "Per token of an answer",
        &[
            ("inference.per_output_token.energy_j", "facility energy"),
            ("inference.per_output_token.co2e_g.location", "CO2e, location-based"),
        ],
    ),
    (
        "Lower bound by FLOPs, first year",
        &[
            ("inference.lower_bound.flops", "FLOPs of all requests"),
            ("inference.lower_bound.device_hours", "device-hours at the dense peak"),
            ("inference.lower_bound.share_of_fleet", "  as a share of the fleet's"),
            ("inference.lower_bound.energy_kwh.facility", "facility energy"),
            ("inference.lower_bound.co2e_kg.location", "CO2e, location-based"),
        ],
    ),
    (
        "Total",
        &[
            ("tco.total_usd", "cost"),
            ("tco.present_value_usd", "  as a present value"),
            ("tco.energy_kwh", "facility energy"),
            ("tco.co2e_kg.location", "CO2e, location-based"),
            ("tco.co2e_kg.embodied", "CO2e, embodied"),
            ("sci.co2e_g", "SCI per functional unit"),
        ],
    ),
];

pub(super) const ENERGY_OF_TRAINING: &str = "Energy, carbon and water of the training";

/// The columns of the table of years: figure under `inference.years.N`, heading.
pub(super) const YEARS: &[(&str, &str)] = &[
    ("requests", "requests"),
    ("replicas", "replicas"),
    ("devices", "devices"),
    ("cost_usd", "cost"),
    ("energy_kwh.facility", "facility energy"),
    ("co2e_kg.location", "CO2e"),
];

/// The label that the tables above give a figure.
pub(super) fn label(path: &str) -> &str {
    let rows = SECTIONS.iter().flat_map(|(_, rows)| rows.iter());
    match path {
        "training.cost_usd.total" => "cost of the training",
        "tco.total_usd" => "total cost",
        "tco.present_value_usd" => "  as a present value",
        "tco.energy_kwh" => "total energy",
        "tco.co2e_kg.location" => "total CO2e, location-based",
        "inference.per_query.serving_usd" => "cost of a request",
        "inference.per_query.energy_wh" => "energy of a request",
        "inference.fleet.devices" => "devices of the fleet",
        _ => rows.into_iter().find(|(known, _)| *known == path).map_or(path, |(_, label)| label),
    }
}
