//! Every figure, declared once. Who wants another figure adds a row; JSON, tables, CSV, page,
//! workbook, `explain`, ranges, aims and policies read the rows.
//!
//! ```text
//! Id: "key" "unit" per "what" "label in its section" as "name elsewhere" [marks] => |part| how it is read;
//! ```
//! A block says which part of the forecast its rows read, and the section that tables show them in.
//! A part that occurs several times (a footprint of the training and of each year) makes its rows
//! families: one row, a figure per place. Rows stand in the order of the JSON.

use super::Mark::{Adds, Aim, AsDeclared, Converted, First, Headline, Once, Range, Term, Weighs};
use super::Section::{
    Api, Footprint, LowerBound, PerMillionTokens, PerOutputToken, PerRequest, ServiceCost,
    ServicePurchase, Serving, Simulated, Total, Training, TrainingCost, TrainingPurchase, Years,
};
use super::{Declared, Read, co2e_of, energy_of, latency, seen};
use crate::estimate::training::TrainingForecast;
use crate::ledger::line::Resource;
use crate::ledger::owned::SOLD;

macro_rules! figures {
    ($($part:ident in $sections:tt {
        $($id:ident: $key:literal $unit:literal $(per $per:literal)? $label:literal $(as $name:literal)?
            $([$($mark:expr),+])? => $read:expr;)*
    })*) => {
        /// Which figure, of those that [`DECLARED`] has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Id { $($($id,)*)* }

        /// The table.
        pub static DECLARED: &[Declared] = &[$($(Declared {
            id: Id::$id,
            key: $key,
            unit: concat!($unit $(, "/", $per)?),
            short_unit: $unit,
            per: figures!(@or $($per)?, ""),
            label: $label,
            name: figures!(@or $($name)?, $label),
            marks: &[$($($mark),+)?],
            sections: &$sections,
            read: Read::$part($read),
        },)*)*];
    };
    (@or $value:literal, $default:literal) => { $value };
    (@or , $default:literal) => { $default };
}

figures! {
    Training in [Training] {
        TrainingTokens: "tokens" "tokens" "tokens passed" => |it| (&it.run.tokens).into();
        TrainingSamples: "samples" "samples" "samples passed" => |it| (&it.run.samples).into();
        SixNd: "flops.six_nd" "FLOP" "FLOPs by 6ND" => |it| (&it.run.flops.six_nd).into();
        ModelFlops: "flops.model" "FLOP" "FLOPs, operator-exact" as "FLOPs of the training" [Range] => |it| (&it.run.flops.model).into();
        FullFlops: "flops.model_full" "FLOP" "  with attention in full" => |it| (&it.run.flops.model_full).into();
        HardwareFlops: "flops.hardware" "FLOP" "  with recomputation" => |it| (&it.run.flops.hardware).into();
        Mfu: "mfu" "" "MFU (operator-exact, dense peak)" as "MFU" [Headline, First] => |it| (&it.run.mfu).into();
        Hfu: "hfu" "" "HFU" => |it| (&it.run.hfu).into();
        Goodput: "goodput" "" "goodput" => |it| (&it.run.goodput).into();
        StepTime: "step_time_s" "s" "step time" => |it| (&it.run.step_time).into();
        Throughput: "tokens_per_second_per_device" "tokens/s/device" "throughput" => |it| (&it.run.throughput).into();
        TrainingDevices: "devices" "devices" "devices" [Aim("devices", "devices")] => |it| (&it.devices).into();
        TrainingInstances: "instances" "instances" "instances" => |it| it.packing.as_ref().map(|it| &it.instances).into();
        TrainingStranded: "stranded_devices" "devices" "  devices paid for but unused" => |it| it.packing.as_ref().map(|it| &it.stranded).into();
        DeviceHours: "device_hours" "device-h" "device-hours" as "device-hours of the training" [Headline, Range] => |it| (&it.run.device_time).into();
        EndDays: "end_days" "days" "wait and wall clock" as "time until the training ends" [Aim("days", "days")] => TrainingForecast::until_end;
        WallClock: "wall_clock_days" "days" "wall clock" as "time of the training" [Headline, Range, Aim("days", "days"), First] => |it| (&it.run.wall_clock).into();
        WaitDays: "wait_days" "days" "  waiting for devices before it" as "time until the devices are there" => |it| (&it.wait).into();
        TrainableParameters: "trainable_parameters" "" "trainable parameters" => |it| (&it.trainable).into();
        MemoryWeights: "memory_gb.weights" "GB/device" "memory: weights" => |it| it.memory_of(|it| &it.weights);
        MemoryGradients: "memory_gb.gradients" "GB/device" "  gradients" => |it| it.memory_of(|it| &it.gradients);
        MemoryOptimizer: "memory_gb.optimizer" "GB/device" "  optimizer state" => |it| it.memory_of(|it| &it.optimizer);
        MemoryActivations: "memory_gb.activations" "GB/device" "  activations" => |it| it.memory_of(|it| &it.activations);
        MemoryOther: "memory_gb.other" "GB/device" "  context of device and libraries" => |it| it.memory_of(|it| &it.other);
        MemoryAllocated: "memory_gb.allocated" "GB/device" "  allocated, with the rest" => |it| it.memory_of(|it| &it.allocated);
        MemoryReserved: "memory_gb.reserved" "GB/device" "  reserved by the process" as "memory of a device" [First] => |it| it.memory_of(|it| &it.reserved);
        MemoryCapacity: "memory_gb.capacity" "GB/device" "  there" as "memory that it has" => |it| it.memory_of(|it| &it.capacity);
    }
    Service in [Serving] {
        Ttft: "ttft_ms.mean" "ms" per "request" "mean time to first token" [First] => |it| it.mean(it.first_token());
        Tpot: "tpot_ms.mean" "ms/token" "mean time per output token" [First] => |it| it.mean(it.latency.tpot.as_ref());
        E2e: "e2e_ms.mean" "ms" per "request" "mean time of a request" => |it| it.mean(Some(&it.latency.e2e));
        ReplicaDevices: "replica.devices" "devices" "devices of a replica" => |it| (&it.replica_devices).into();
        PrefillDevices: "replica.prefill_devices" "devices" "  of them for prefill" => |it| (&it.prefill_devices).into();
        MaxRate: "replica.max_rate_per_s" "requests/s" "highest rate of a replica" => |it| (&it.limits.max_rate).into();
        KvCapacity: "replica.kv_capacity_tokens" "tokens" "KV cache of a replica" => |it| (&it.limits.kv_capacity).into();
        MaxConcurrency: "replica.max_concurrency" "" "requests at once" => |it| (&it.limits.max_concurrency).into();
        Acceptance: "speculative.acceptance" "" "draft tokens that are accepted" => |it| it.limits.speculation.as_ref().map(|it| &it.acceptance).into();
        TokensPerVerification: "speculative.tokens_per_verification" "" "  tokens that a verification yields" => |it| it.limits.speculation.as_ref().map(|it| &it.tokens).into();
        DraftShare: "speculative.draft_share" "" "  share of a round that drafting takes" => |it| it.limits.speculation.as_ref().map(|it| &it.draft_share).into();
        FleetReplicas: "fleet.replicas" "" "replicas" [Adds] => |it| it.years.first().map(|it| &it.replicas).into();
        FleetDevices: "fleet.devices" "devices" "devices" as "devices of the fleet" [Headline, Range, Aim("devices", "devices"), First, Adds] => |it| it.years.first().map(|it| &it.devices).into();
        FleetDeviceHours: "fleet.device_hours" "device-h" "device-hours of a year" [Adds] => |it| it.years.first().map(|it| &it.fleet_time).into();
        JobTime: "fleet.job_days" "days" "time of the job" [Headline, Range, First] => |it| it.years.first().and_then(|it| it.job.as_ref()).into();
        FleetInstances: "fleet.instances" "instances" "instances" [Adds] => |it| it.packed(|it| &it.instances);
        FleetStranded: "fleet.stranded_devices" "devices" "  devices paid for but unused" [Adds] => |it| it.packed(|it| &it.stranded);
        PeakRate: "fleet.peak_rate_per_s" "requests/s" "peak rate" [Once] => |it| it.years.first().map(|it| &it.peak_rate).into();
        RefreshDevices: "refresh.replica_devices" "devices" "devices of a later replica" => |it| it.refresh.as_ref().map(|it| &it.replica_devices).into();
        RefreshRate: "refresh.max_rate_per_s" "requests/s" "  its highest rate" => |it| it.refresh.as_ref().map(|it| &it.max_rate).into();
    }
    Latency in [Simulated] {
        TtftAt: "ttft_ms" "ms" "time to first token" [First] => |(it, at)| latency(&it.ttft, at);
        TpotAt: "tpot_ms" "ms" "time per output token" [First] => |(it, at)| latency(&it.tpot, at);
        E2eAt: "e2e_ms" "ms" "whole request" => |(it, at)| latency(&it.e2e, at);
        QueueingAt: "queueing_ms" "ms" "queueing" => |(it, at)| latency(&it.queueing, at);
    }
    Observed in [Simulated] {
        SloAttainment: "slo_attainment" "" "requests that keep the SLO" => |it| seen(it.slo_attainment);
        Refused: "refused" "" "requests that are refused" => |it| seen(it.refused);
        GoodputRate: "goodput_per_s" "requests/s" "goodput of a replica" => |it| seen(it.goodput);
        PlannedRate: "replica.planned_rate_per_s" "requests/s" "planned rate of a replica" => |it| seen(it.planned_rate);
        WeightMemory: "replica.weights_gb" "GB" "weights on a replica" => |it| seen(it.weights);
        KvMemory: "replica.kv_cache_gb" "GB" "room for its KV cache" => |it| seen(it.kv_cache);
        KvUsedMean: "replica.kv_cache_used.mean" "" "  in use, mean" => |it| seen(it.kv_used.map(|it| it[0]));
        KvUsedMost: "replica.kv_cache_used.most" "" "  in use, most" => |it| seen(it.kv_used.map(|it| it[1]));
        Preemptions: "replica.preemptions" "" "sequences preempted" => |it| seen(it.preemptions);
        BatchOfOne: "replica.batch_ms.one" "ms" "time of a batch of one" => |it| seen(it.batch_times.map(|it| it[0]));
        LargestBatch: "replica.batch_ms.most" "ms" "  of the largest batch" => |it| seen(it.batch_times.map(|it| it[1]));
        PrefillBusy: "replica.prefill_busy" "" "prefill instances busy" => |it| seen(it.prefill_busy);
        Busy: "replica.busy" "" "replica busy" => |it| seen(it.busy);
        BatchMean: "replica.batch.mean" "" "sequences in the batch, mean" => |it| seen(it.batch.map(|it| it[0]));
        BatchMost: "replica.batch.most" "" "  most" => |it| seen(it.batch.map(|it| it[1]));
        Headroom: "fleet.headroom" "" "part of the highest rate unused" => |it| seen(it.headroom);
    }
    Service in [PerRequest] {
        RequestFlops: "per_query.flops" "FLOP" per "request" "FLOPs" [Weighs] => |it| (&it.flops).into();
    }
    Year in [Years] {
        YearRequests: "requests" "requests" "requests" [Once] => |(_, it)| (&it.requests).into();
        YearReplicas: "replicas" "" "replicas" [Adds] => |(_, it)| (&it.replicas).into();
        YearDevices: "devices" "devices" "devices" [Adds] => |(_, it)| (&it.devices).into();
        YearInstances: "instances" "instances" "instances" [Adds] => |(_, it)| it.packing.as_ref().map(|it| &it.instances).into();
        YearCost: "cost_usd" "USD" "cost" [Adds] => |(all, it)| all.cost_of(it).into();
    }
    Footprint in [Footprint, Years] {
        ItEnergy: "energy_kwh.it" "kWh" "IT energy" [Adds] => |it| (&it.it).into();
        FacilityEnergy: "energy_kwh.facility" "kWh" "facility energy (x PUE)" as "energy of the training" [Range, Term("E, energy of the training"), Adds] => |it| (&it.facility).into();
        WorkEnergy: "energy_kwh.work" "kWh" "energy of work above idle" [Adds] => |it| energy_of(it, Resource::Work);
        WorkCo2e: "co2e_kg.work" "kgCO2e" "CO2e of work above idle" [Adds] => |it| co2e_of(it, Resource::Work);
        IdleEnergy: "energy_kwh.idle" "kWh" "energy of the idle draw" [Adds] => |it| energy_of(it, Resource::Idle);
        IdleCo2e: "co2e_kg.idle" "kgCO2e" "CO2e of the idle draw" [Adds] => |it| co2e_of(it, Resource::Idle);
        LocationCo2e: "co2e_kg.location" "kgCO2e" "CO2e, location-based" as "CO2e of the training" [Range, Term("E x I, electricity of the training"), Adds] => |it| (&it.location).into();
        UpstreamCo2e: "co2e_kg.upstream" "kgCO2e" "CO2e, upstream of the fuels" [Adds] => |it| (&it.upstream).into();
        MarketCo2e: "co2e_kg.market" "kgCO2e" "CO2e, market-based" [Adds] => |it| (&it.market).into();
        MarginalCo2e: "co2e_kg.marginal" "kgCO2e" "CO2e, marginal: another view" [Adds] => |it| (&it.marginal).into();
        EmbodiedLow: "co2e_kg.embodied.low" "kgCO2e" "CO2e, embodied, low" [Adds] => |it| (&it.embodied[0].total).into();
        EmbodiedMid: "co2e_kg.embodied.mid" "kgCO2e" "CO2e, embodied, mid" [Term("M, devices and hosts of the training"), Adds] => |it| (&it.embodied[1].total).into();
        EmbodiedHigh: "co2e_kg.embodied.high" "kgCO2e" "CO2e, embodied, high" [Adds] => |it| (&it.embodied[2].total).into();
        WaterOnSite: "water_l.on_site" "L" "water, on site" [Adds] => |it| (&it.water).into();
        WaterOffSite: "water_l.off_site" "L" "water, of the electricity" [Adds] => |it| (&it.grid_water).into();
    }
    Training in [Footprint] {
        PlannedIntensity: "start_window.planned_g_per_kwh" "gCO2e/kWh" "intensity from the planned start" => |it| it.start().map(|it| &it.at_planned).into();
        BestIntensity: "start_window.best_g_per_kwh" "gCO2e/kWh" "  from the cleanest start" => |it| it.start().map(|it| &it.at_best).into();
        StartSaving: "start_window.saving" "" "saving by the cleanest start" => |it| it.start().map(|it| &it.saving).into();
        StartSaved: "start_window.saved_co2e_kg" "kgCO2e" "  in CO2e, location-based" => TrainingForecast::saved;
    }
    Cost in [TrainingCost, ServiceCost] {
        Cost: "cost_usd" "USD" "" [Adds] => |(money, resource)| money.sum(|entry| entry.resource == resource);
    }
    Training in [TrainingCost] {
        TrainingCost: "cost_usd.total" "USD" "total" as "cost of the training" [Headline, Range, Converted, First] => |it| (&it.cost).into();
    }
    Service in [ServiceCost] {
        ServiceCost: "cost_usd.total" "USD" "total" as "cost of serving" [Converted, Adds] => |it| (&it.cost).into();
    }
    Purchase in [TrainingPurchase, ServicePurchase] {
        Capex: "capex_usd" "USD" "to buy: " [Adds] => |(it, part)| it.purchases.sum(|entry| entry.detail == part).into();
    }
    Owned in [TrainingPurchase, ServicePurchase] {
        CapexTotal: "capex_usd.total" "USD" "to buy, in all" [Adds] => |it| it.purchases.sum(|entry| entry.detail != SOLD).into();
    }
    Training in [TrainingCost] {
        PeakFlopPerUsd: "flops_per_usd.peak" "FLOP/USD" "FLOP per dollar at peak" => |it| (&it.peak_flops_per_usd).into();
        FlopPerUsd: "flops_per_usd.achieved" "FLOP/USD" "  achieved" => |it| (&it.achieved_flops_per_usd).into();
    }
    Service in [Api] {
        ApiPerQuery: "api.per_query_usd" "USD" per "request" "hosted model, a request" => |it| it.api.as_ref().map(|it| &it.per_query).into();
        ApiPerYear: "api.usd_per_year" "USD" "  a year" => |it| it.api.as_ref().map(|it| &it.yearly).into();
        ApiFleet: "api.fleet_usd_per_year" "USD" "own fleet, a year" => |it| it.api.as_ref().map(|it| &it.fleet).into();
        ApiBreakEven: "api.break_even_requests_per_day" "requests/day" "break-even" => |it| it.api.as_ref().map(|it| &it.break_even).into();
        ApiBreakEvenTokens: "api.break_even_tokens_per_month" "tokens/month" "  in tokens" => |it| it.api.as_ref().map(|it| &it.break_even_tokens).into();
    }
    Service in [PerRequest] {
        ServingCost: "per_query.serving_usd" "USD" per "request" "cost of serving" as "cost of a request" [Headline, Range, Converted, Weighs] => |it| (&it.serving_cost).into();
        LoadedCost: "per_query.loaded_usd" "USD" per "request" "  with the training" [Weighs] => |it| (&it.loaded_cost).into();
        RequestEnergy: "per_query.energy_wh" "Wh" per "request" "facility energy" as "energy of a request" [Range, Term("E, energy of a request"), Weighs] => |it| (&it.energy).into();
        RequestCo2e: "per_query.co2e_g.location" "gCO2e" per "request" "CO2e, location-based" [Term("E x I, electricity of a request"), Weighs] => |it| (&it.location).into();
        RequestEmbodied: "per_query.co2e_g.embodied" "gCO2e" per "request" "CO2e, embodied" [Term("M, devices and hosts of a request"), Weighs] => |it| (&it.embodied).into();
    }
    Service in [PerMillionTokens] {
        TokenCost: "per_million_tokens.cost_usd" "USD" per "Mtoken" "cost of serving" as "cost of a million tokens" [First] => |it| it.priced(|it| &it.all);
        InputCost: "per_million_tokens.input_usd" "USD" per "Mtoken" "  input tokens" => |it| it.priced(|it| &it.input);
        OutputCost: "per_million_tokens.output_usd" "USD" per "Mtoken" "  output tokens" => |it| it.priced(|it| &it.output);
        TokenEnergy: "per_million_tokens.energy_kwh" "kWh" per "Mtoken" "facility energy" => |it| it.tokens.as_ref().map(|it| &it.energy).into();
        TokenCo2e: "per_million_tokens.co2e_kg.location" "kgCO2e" per "Mtoken" "CO2e, location-based" => |it| it.tokens.as_ref().map(|it| &it.location).into();
    }
    Service in [PerOutputToken] {
        OutputEnergy: "per_output_token.energy_j" "J/token" "facility energy" [AsDeclared] => |it| it.tokens.as_ref().map(|it| &it.energy_per_output).into();
        OutputCo2e: "per_output_token.co2e_g.location" "gCO2e/token" "CO2e, location-based" [AsDeclared] => |it| it.tokens.as_ref().map(|it| &it.location_per_output).into();
    }
    Service in [LowerBound] {
        BoundFlops: "lower_bound.flops" "FLOP" "FLOPs of all requests" [Adds] => |it| (&it.lower_bound.flops).into();
        BoundDeviceHours: "lower_bound.device_hours" "device-h" "device-hours at the dense peak" [Adds] => |it| (&it.lower_bound.device_time).into();
        BoundShare: "lower_bound.share_of_fleet" "" "  as a share of the fleet's" => |it| (&it.lower_bound.share).into();
        BoundEnergy: "lower_bound.energy_kwh.facility" "kWh" "facility energy" [Adds] => |it| (&it.lower_bound.footprint.facility).into();
        BoundCo2e: "lower_bound.co2e_kg.location" "kgCO2e" "CO2e, location-based" [Adds] => |it| (&it.lower_bound.footprint.location).into();
    }
    Compared in [TrainingPurchase, ServicePurchase] {
        CapexPerDevice: "capex_usd_per_device" "USD/device" "  per device" => |it| it.compared(|it| &it.capex);
        OwnedRate: "running_usd_per_device_h" "USD/device-h" "to run a device that is owned" => |it| it.compared(|it| &it.running);
        RentedRate: "rent_usd_per_device_h" "USD/device-h" "to rent one instead" => |it| it.compared(|it| &it.rent);
        PurchaseValue: "net_present_value_usd_per_device" "USD/device" "NPV of buying over the service life" => |it| it.compared(|it| &it.net_present_value);
        PurchaseBreakEven: "break_even_months" "months" "buying breaks even after" => |it| it.rent_or_buy.as_ref().ok().map(|it| &it.break_even).into();
    }
    Total in [Total] {
        Horizon: "horizon_years" "" "years of service" => |it| (&it.horizon_years).into();
        TotalCost: "total_usd" "USD" "cost" as "total cost" [Headline, Range, Converted, Aim("cost", "cost_usd"), First, Adds] => |it| (&it.total).into();
        PresentValue: "present_value_usd" "USD" "  as a present value" as "present value of the cost" [Headline, Range, Converted, Adds] => |it| (&it.present_value).into();
        TotalEnergy: "energy_kwh" "kWh" "facility energy" as "total energy" [Headline, Range, Aim("energy", "energy_kwh"), First, Adds] => |it| (&it.energy).into();
        TotalCo2e: "co2e_kg.location" "kgCO2e" "CO2e, location-based" as "total CO2e, location-based" [Headline, Range, Aim("co2e", "co2e_kg"), First, Adds] => |it| (&it.location).into();
        TotalEmbodied: "co2e_kg.embodied" "kgCO2e" "CO2e, embodied" as "total CO2e, embodied" [Headline, Adds] => |it| (&it.embodied).into();
    }
    Unit in [Total] {
        UnitSci: "co2e_g" "gCO2e" "SCI per functional unit" [Term("SCI per functional unit"), Weighs] => |it| (&it.sci).into();
    }
    TrainingUnit in [Footprint] {
        RunSci: "kg_per_run" "kgCO2e" "SCI of the run" [Term("SCI per training run")] => |it| (&it.run).into();
        TokenSci: "kg_per_million_tokens" "kgCO2e" per "Mtoken" "SCI per million tokens" [Term("SCI per million training tokens")] => |it| (&it.token).into();
        ParameterSci: "kg_per_billion_parameters" "kgCO2e" "SCI per billion parameters" [Term("SCI per billion parameters")] => |it| (&it.billion_parameters).into();
    }
}
