//! Every input of a scenario, for those who vary them.

use super::Scenario;
use super::plan::{
    Efficiency, Goodput, Pace, PowerModel, Replica, Run, Service, Site, TrainingPlan, Work,
};
use crate::provenance::Uncertain;

type Visit<'a> = &'a mut dyn FnMut(&mut dyn Uncertain);

impl Scenario {
    /// Visits every input, in the order of the plan.
    pub fn for_each_input(&mut self, visit: Visit<'_>) {
        if let Some(training) = &mut self.training {
            training.for_each_input(visit);
        }
        if let Some(service) = &mut self.inference {
            service.for_each_input(visit);
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
            Ok(PowerModel::Given(power)) => visit(power),
            Ok(PowerModel::Modelled { tdp, load, host }) => {
                visit(tdp);
                visit(load);
                if let Some(host) = host {
                    visit(host);
                }
            }
            Err(_) => {}
        }
        if let Ok(pue) = &mut self.pue {
            visit(pue);
        }
        if let Ok(grid) = &mut self.grid {
            visit(grid);
        }
        if let Ok(wue) = &mut self.wue {
            visit(wue);
        }
        for level in self.embodied.iter_mut().flatten() {
            visit(level);
        }
        visit(&mut self.lifetime);
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
    }
}

impl Replica {
    fn for_each_input(&mut self, visit: Visit<'_>) {
        visit(&mut self.devices);
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
    }
}
