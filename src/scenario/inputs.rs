//! Every input of a scenario, for those who vary them.

use std::sync::Arc;

use super::Scenario;
use super::plan::{Efficiency, Goodput, Pace, Replica, Run, Service, TrainingPlan, Work};
use super::site::{Draw, Embodied, PowerModel, Site};
use crate::provenance::Uncertain;

type Visit<'a> = &'a mut dyn FnMut(&mut dyn Uncertain);

impl Scenario {
    /// Visits every input, in the order of the plan.
    pub fn for_each_input(&mut self, visit: Visit<'_>) {
        if let Some(training) = &mut self.training {
            Arc::make_mut(training).for_each_input(visit);
        }
        if let Some(service) = &mut self.inference {
            Arc::make_mut(service).for_each_input(visit);
        }
        visit(&mut self.finance.discount_rate);
        visit(&mut self.finance.price_change);
        if let Some(unit) = &mut self.functional_unit {
            visit(unit);
        }
    }
}

impl TrainingPlan {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        self.run.for_each_input(visit);
        if let Some(efficiency) = &mut self.efficiency {
            efficiency.for_each_input(visit);
        }
        if let Some(rent) = &mut self.rent {
            rent.for_each_input(visit);
        }
        if let Some(owned) = &mut self.owned {
            owned.for_each_input(visit);
        }
        if let Some(costs) = &mut self.costs {
            costs.for_each_input(visit);
        }
        self.site.for_each_input(visit);
        visit(&mut self.billion_parameters);
    }
}

impl Run {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        match &mut self.work {
            Work::Tokens { tokens, epochs, six_nd, model, model_full } => {
                visit(tokens);
                visit(epochs);
                if let Some(six_nd) = six_nd {
                    visit(six_nd);
                }
                visit(model);
                visit(model_full);
            }
            Work::Samples { samples, epochs, model } => {
                visit(samples);
                visit(epochs);
                visit(model);
            }
        }
        visit(&mut self.peak);
        if let Some(devices) = &mut self.devices {
            visit(devices);
        }
        match &mut self.goodput {
            Goodput::Given(share) => visit(share),
            Goodput::Failures { rate, stall, interval, restart, devices } => {
                visit(rate);
                visit(stall);
                if let Some(interval) = interval {
                    visit(interval);
                }
                visit(restart);
                visit(devices);
            }
        }
        if let Some(interruptions) = &mut self.interruptions {
            interruptions.for_each_input(visit);
        }
        visit(&mut self.spares);
        visit(&mut self.experiments);
        if let Some(batch) = &mut self.global_batch {
            visit(batch);
        }
    }
}

impl Efficiency {
    /// Visits every input.
    pub fn for_each_input(&mut self, visit: Visit<'_>) {
        match self {
            Self::Mfu(share, _) | Self::Hfu(share) => visit(share),
            Self::DeviceHours(hours) => visit(hours),
            Self::Measured { tokens, epochs, pace } => {
                visit(tokens);
                visit(epochs);
                match pace {
                    Pace::Throughput(rate) => visit(rate),
                    Pace::Step { time, batch, devices } => {
                        visit(time);
                        visit(batch);
                        visit(devices);
                    }
                }
            }
        }
    }
}

impl Site {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        match &mut self.power {
            Ok(PowerModel::Average(power)) => visit(power),
            Ok(PowerModel::ByLoad { busy, idle, idle_host }) => {
                busy.for_each_input(visit);
                idle.for_each_input(visit);
                if let Some(host) = idle_host {
                    visit(host);
                }
            }
            Err(_) => {}
        }
        if let Ok(pue) = &mut self.pue {
            visit(pue);
        }
        for grid in [Some(&mut self.grid), self.upstream.as_mut()].into_iter().flatten().flatten() {
            visit(grid);
        }
        if let Some(marginal) = &mut self.marginal {
            visit(marginal);
        }
        if let Ok(contracts) = &mut self.contracts {
            contracts.covered.iter_mut().for_each(|share| visit(share));
            visit(&mut contracts.residual);
        }
        for water in [&mut self.wue, &mut self.grid_water].into_iter().flatten() {
            visit(water);
        }
        self.embodied.for_each_input(visit);
    }
}

impl Draw {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        match self {
            Self::Watts(power) => visit(power),
            Self::OfTdp { tdp, share } => {
                visit(tdp);
                visit(share);
            }
        }
    }
}

impl Embodied {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        self.device.iter_mut().flatten().for_each(|level| visit(level));
        self.server.iter_mut().flatten().for_each(|level| visit(level));
        visit(&mut self.together);
        visit(&mut self.lifetime);
        visit(&mut self.utilisation);
    }
}

impl Service {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        self.replica.for_each_input(visit);
        visit(&mut self.rate);
        visit(&mut self.peak_to_mean);
        visit(&mut self.headroom);
        visit(&mut self.growth);
        visit(&mut self.redundancy);
        if let Some(start_up) = &mut self.start_up {
            visit(start_up);
        }
        visit(&mut self.flops);
        if let Some(wait) = &mut self.demand.max_wait {
            visit(wait);
        }
        if let Some(tokens) = &mut self.demand.max_batch_tokens {
            visit(tokens);
        }
        if let Some(cache) = &mut self.demand.kv_cache {
            visit(cache);
        }
        if let Some(factor) = &mut self.demand.step_time {
            visit(factor);
        }
        for hit in &mut self.demand.prefix_cache_hits {
            visit(hit);
        }
        if let Some(rent) = &mut self.rent {
            rent.for_each_input(visit);
        }
        if let Some(api) = &mut self.api {
            api.for_each_input(visit);
        }
        if let Some(owned) = &mut self.owned {
            owned.for_each_input(visit);
        }
        if let Some(costs) = &mut self.costs {
            costs.for_each_input(visit);
        }
        self.site.for_each_input(visit);
        if let Some(refresh) = &mut self.refresh {
            refresh.service.for_each_input(visit);
        }
    }
}

impl Replica {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        visit(&mut self.devices);
        if let Some(pools) = &mut self.pools {
            pools.for_each_input(visit);
        }
        if let Some(stages) = &mut self.stages {
            visit(stages);
        }
        visit(&mut self.weights);
        visit(&mut self.kv_per_token);
        visit(&mut self.prefill);
        self.input.for_each_input(visit);
        if let Some(output) = &mut self.output {
            output.for_each_input(visit);
        }
        visit(&mut self.peak);
        visit(&mut self.bandwidth);
        visit(&mut self.memory);
        visit(&mut self.usable_memory);
        visit(&mut self.compute_efficiency);
        visit(&mut self.bandwidth_efficiency);
        visit(&mut self.max_batch);
        if let Some(speculation) = &mut self.speculation {
            speculation.for_each_input(visit);
        }
    }
}
