//! The facts of a job in flopcast's own words, whatever framework said them.

use std::collections::BTreeMap;

/// A thing that a job file may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fact {
    /// The model's name, path or Hub name.
    Model,
    /// The model's size or variant, which follows the name of its family: `8B`.
    Flavor,
    /// Layers of a transformer.
    Layers,
    /// Width of the residual stream.
    Hidden,
    /// Query heads.
    Heads,
    /// Key and value heads.
    KvHeads,
    /// Width of a head.
    HeadDim,
    /// Width of the feed-forward block.
    Ffn,
    /// Words of the vocabulary.
    Vocab,
    /// Words of the tokenizer's vocabulary, where the model does not say its own.
    UsualVocab,
    /// The feed-forward block is gated.
    Gated,
    /// Head and embedding are two matrices.
    Untied,
    /// Routed experts.
    Experts,
    /// Experts that a token passes.
    TopK,
    /// Width of an expert.
    ExpertFfn,
    /// Tokens of a sequence.
    Sequence,
    /// Tokens of a sequence where the job does not say them.
    UsualSequence,
    /// Sequences of one pass on one model replica.
    MicroBatch,
    /// Sequences of a step on one model replica; a pipeline takes them one by one unless told
    /// otherwise.
    LocalBatch,
    /// Passes of a step.
    Accumulation,
    /// Sequences of a step.
    GlobalBatch,
    /// Tokens of a step.
    GlobalBatchTokens,
    /// Answers to each prompt, where a step is said in prompts.
    Answers,
    /// Answers to each prompt, where a step is said in answers.
    Group,
    /// Tokens of a prompt, to which a sequence is the answer.
    Prompt,
    /// Optimizer steps.
    Steps,
    /// Passes over the data.
    Epochs,
    /// Sequences, documents or prompts of the data.
    Samples,
    /// Tokens of the data.
    Tokens,
    /// Number format of the products.
    Precision,
    /// Number format of the weights where it is not that of the products.
    Quantization,
    /// The training framework.
    Framework,
    /// The optimizer.
    Optimizer,
    /// The optimizer applies each gradient in the backward pass.
    InBackward,
    /// Number format of gradients.
    Gradients,
    /// Recomputation of activations: `none`, `selective` or `full`.
    Recompute,
    /// What selective recomputation computes anew, where the framework has kinds of it.
    Selective,
    /// The recipe: `pretrain`, `finetune`, `lora` ...
    Recipe,
    /// Adapters are trained.
    Adapters,
    /// Rank of adapters.
    Rank,
    /// Rank of adapters where the job says none.
    UsualRank,
    /// Projections that get an adapter.
    Targets,
    /// Projections that get one beside those.
    MoreTargets,
    /// Projections that get one where the job says none.
    UsualTargets,
    /// The teacher of a distillation.
    Teacher,
    /// Tensor-parallel degree.
    Tensor,
    /// Pipeline-parallel degree.
    Pipeline,
    /// Chunks of layers of each pipeline stage.
    Chunks,
    /// Layers of such a chunk.
    LayersOfChunk,
    /// Data-parallel degree.
    Data,
    /// Data-parallel degree over which nothing is sharded.
    Replicate,
    /// Context-parallel degree.
    Context,
    /// Expert-parallel degree.
    Expert,
    /// Data-parallel ranks of a service share its experts.
    Spread,
    /// The data-parallel ranks of a service lie within its tensor-parallel group.
    WithinTensor,
    /// Each device of that group is such a rank.
    AllWithinTensor,
    /// ZeRO stage.
    Zero,
    /// Axes of a mesh of devices with their sizes: `ici_fsdp_parallelism=16`.
    Mesh,
    /// Machines.
    Nodes,
    /// Machines beside those: the master of workers.
    MoreNodes,
    /// Groups of so many machines each.
    Groups,
    /// Devices of a machine.
    DevicesPerNode,
    /// Devices of a machine, by a system that gives one where only the kind is said.
    Claim,
    /// Devices in all.
    Devices,
    /// Processes of a batch job.
    Tasks,
    /// Processes of a machine.
    TasksPerNode,
    /// Devices of such a process.
    DevicesPerTask,
    /// The device.
    Accelerator,
    /// Features that a machine must have, its device perhaps among them.
    Feature,
    /// The cloud's name of the machine.
    Instance,
    /// The cloud.
    Provider,
    /// Its region.
    Region,
    /// The user says where it runs.
    Placed,
    /// The machines may be taken away.
    Spot,
    /// The longest time that the job may run.
    TimeLimit,
    /// The serving engine.
    Engine,
    /// Replicas of a service.
    Replicas,
    /// The longest sequence that is served.
    MaxLength,
    /// Requests of one step of the engine.
    MaxBatch,
    /// Tokens of one step of the engine.
    MaxBatchTokens,
    /// Number format of the KV cache.
    KvPrecision,
    /// The model that drafts tokens.
    Draft,
    /// Tokens that are drafted at once.
    DraftTokens,
    /// Nothing: the key is understood and changes no figure.
    Nothing,
}

/// The facts of a job; what stands later in it holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts(BTreeMap<Fact, Vec<String>>);

impl Facts {
    /// A device may stand beside its count, as in `gpu:h100:8`. What a program would have to tell,
    /// `$SLURM_NNODES` say, says nothing.
    pub(super) fn say(&mut self, fact: Fact, words: Vec<String>) {
        if words.iter().all(|word| word.is_empty() || word.contains('$')) {
            return;
        }
        match fact {
            Fact::Nothing => {}
            Fact::Accelerator | Fact::DevicesPerNode | Fact::Claim | Fact::Devices => {
                let (name, count) = device_words(&words);
                let count = count.or((fact == Fact::Claim).then_some(1));
                let count_of = if fact == Fact::Devices { fact } else { Fact::DevicesPerNode };
                self.0.extend(name.map(|name| (Fact::Accelerator, vec![name])));
                self.0.extend(count.map(|count| (count_of, vec![count.to_string()])));
            }
            Fact::Mesh => {
                let axis = |word: &str| word.split('=').next().map(str::to_owned);
                let mesh = self.0.entry(fact).or_default();
                for word in words {
                    mesh.retain(|known| axis(known) != axis(&word));
                    mesh.push(word);
                }
            }
            fact => {
                self.0.insert(fact, words);
            }
        }
    }

    /// Overrules how many devices the job takes.
    pub(super) fn take(&mut self, devices: u64) {
        use Fact::{Data, Devices, DevicesPerNode, DevicesPerTask, Groups, Mesh, MoreNodes, Nodes};
        use Fact::{Replicate, Tasks, TasksPerNode};
        let counts =
            [Nodes, MoreNodes, Groups, DevicesPerNode, Tasks, TasksPerNode, DevicesPerTask];
        for fact in counts.into_iter().chain([Data, Replicate, Mesh]) {
            self.0.remove(&fact);
        }
        self.0.insert(Devices, vec![devices.to_string()]);
    }

    /// Machines in all, as far as they are said.
    pub(super) fn nodes(&self) -> Option<u64> {
        let [nodes, more, groups] =
            [Fact::Nodes, Fact::MoreNodes, Fact::Groups].map(|fact| self.count(fact));
        // As many machines as the processes fill.
        let of_tasks = || Some(self.count(Fact::Tasks)?.div_ceil(self.count(Fact::TasksPerNode)?));
        let nodes = nodes.or_else(of_tasks);
        let of_group = match (nodes, more) {
            (Some(nodes), Some(more)) => nodes.checked_add(more)?,
            (nodes, more) => nodes.or(more)?,
        };
        of_group.checked_mul(groups.unwrap_or(1))
    }

    /// Processes of a batch job, as far as they are said.
    pub(super) fn tasks(&self) -> Option<u64> {
        let of_nodes = || self.count(Fact::TasksPerNode)?.checked_mul(self.nodes()?);
        self.count(Fact::Tasks).or_else(of_nodes)
    }

    /// Devices of a mesh by the sizes of its axes. `MaxText` fills the axis over which it shards with
    /// the devices that are left, where no size of it is said.
    pub(super) fn mesh(&self) -> Option<u64> {
        let sizes: Vec<(&str, &str)> =
            self.words(Fact::Mesh)?.iter().filter_map(|it| it.split_once('=')).collect();
        let filled = !sizes.iter().any(|(axis, _)| *axis == "ici_fsdp_parallelism");
        let product =
            sizes.iter().try_fold(1_u64, |all, (_, size)| all.checked_mul(size.parse().ok()?));
        product.filter(|_| !filled)
    }

    /// What a setting says of a fact by `false` or `none`; nothing of most.
    pub(super) fn denied(fact: Fact) -> Option<&'static str> {
        (fact == Fact::Recompute).then_some("none")
    }

    /// True if the job says the fact.
    pub(super) fn has(&self, fact: Fact) -> bool {
        self.0.contains_key(&fact)
    }

    /// All that was said of it, in the framework's words.
    pub(super) fn words(&self, fact: Fact) -> Option<&[String]> {
        self.0.get(&fact).map(Vec::as_slice)
    }

    /// The first word.
    pub(super) fn word(&self, fact: Fact) -> Option<&str> {
        self.0.get(&fact)?.first().map(|it| it.trim())
    }

    /// A number such as `4096`, `8k`, `1e6` or `2B`.
    pub(super) fn number(&self, fact: Fact) -> Option<f64> {
        let word = self.word(fact)?.replace(['_', ','], "");
        // Of a range of machines, the fewest.
        let word = words_of_range(&word).map_or(word.clone(), |(least, _)| least.to_owned());
        let letters = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let scale = match word[letters.len()..].to_ascii_lowercase().as_str() {
            "" | "tok" | "ba" | "ep" | "tokens" => 1.0,
            "k" => 1e3,
            "m" => 1e6,
            "b" | "g" => 1e9,
            "t" => 1e12,
            _ => return None,
        };
        let value = letters.parse::<f64>().ok()? * scale;
        (value.is_finite() && value > 0.0).then_some(value)
    }

    /// A whole number from 1.
    pub(super) fn count(&self, fact: Fact) -> Option<u64> {
        let value = self.number(fact)?;
        ((1.0..1e15).contains(&value) && value.fract() == 0.0).then_some(value as u64)
    }
}

/// The ends of a range of whole numbers: `2-4`.
pub(super) fn words_of_range(word: &str) -> Option<(&str, &str)> {
    let (least, most) = word.split_once('-')?;
    let is_count = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit());
    (is_count(least) && is_count(most)).then_some((least, most))
}

/// A device and a count: `gpu:h100:8`, `H100:8`, `8`, `nvidia-h100-80gb`.
fn device_words(words: &[String]) -> (Option<String>, Option<u64>) {
    let mut found = (None, None);
    for part in words.iter().flat_map(|word| word.split([':', '='])) {
        let part = part.trim().trim_matches(['"', '\'', '{', '}']);
        // Of a range, `2..8`, the least.
        let least = part.split("..").next().unwrap_or(part);
        match least.parse::<f64>() {
            Ok(count) if count >= 1.0 => found.1 = Some(count as u64),
            Ok(_) => {}
            Err(_)
                if part.starts_with('$')
                    || is_memory(part)
                    || [
                        "", "gpu", "gpus", "all", "auto", "null", "true", "nvidia", "amd", "tpu",
                    ]
                    .contains(&&*part.to_ascii_lowercase()) => {}
            Err(_) => found.0 = Some(part.to_ascii_lowercase()),
        }
    }
    found
}

/// True for a size of memory, by which some clusters ask for a device: `80GB`, `24gb..`.
fn is_memory(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    let digits = lower.trim_start_matches(|c: char| c.is_ascii_digit());
    digits.len() < lower.len() && digits.starts_with("gb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_by_the_words_that_jobs_have() {
        let check = |word: &str, name: Option<&str>, count: Option<u64>| {
            assert_eq!(
                device_words(&[word.to_owned()]),
                (name.map(str::to_owned), count),
                "{word}"
            );
        };
        check("gpu:h100:8", Some("h100"), Some(8));
        check("H100:8", Some("h100"), Some(8));
        check("A100-80GB", Some("a100-80gb"), None);
        check("8", None, Some(8));
        check("gpu:4", None, Some(4));
        check("80GB:8", None, Some(8));
        check("all", None, None);
        check("2..8", None, Some(2));
        check("nvidia:24GB..:2", None, Some(2));
    }

    #[test]
    fn a_claim_without_a_count_is_one_device() {
        let mut facts = Facts::default();
        facts.say(Fact::Claim, vec!["MI300X".to_owned()]);
        assert_eq!(facts.count(Fact::DevicesPerNode), Some(1));
    }
}
