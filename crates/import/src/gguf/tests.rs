use flopcast_core::quantity::Measure as _;
use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A file of texts and whole numbers, and of tensors by name, sizes and type.
fn file(
    texts: &[(&str, &str)],
    numbers: &[(&str, u32)],
    tensors: &[(&str, &[u64], u32)],
) -> Vec<u8> {
    let mut bytes = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend(((texts.len() + numbers.len()) as u64).to_le_bytes());
    for (key, value) in texts {
        bytes.extend([text(key), 8_u32.to_le_bytes().to_vec(), text(value)].concat());
    }
    for (key, value) in numbers {
        bytes.extend(
            [text(key), 4_u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat(),
        );
    }
    for (name, shape, kind) in tensors {
        bytes.extend(text(name));
        bytes.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
    }
    bytes
}

/// A llama of one layer, 256 wide, with its table in F16, projections in `Q4_K`, norms in F32.
fn llama(layers: u32) -> Vec<u8> {
    file(
        &[("general.architecture", "llama")],
        &[
            ("llama.block_count", layers),
            ("llama.embedding_length", 256),
            ("llama.feed_forward_length", 512),
            ("llama.attention.head_count", 4),
            ("llama.attention.head_count_kv", 2),
            ("llama.context_length", 2048),
        ],
        &[
            ("token_embd.weight", &[256, 1000], 1),
            ("output_norm.weight", &[256], 0),
            ("blk.0.attn_norm.weight", &[256], 0),
            ("blk.0.ffn_norm.weight", &[256], 0),
            ("blk.0.attn_q.weight", &[256, 256], 12),
            ("blk.0.attn_k.weight", &[256, 128], 12),
            ("blk.0.attn_v.weight", &[256, 128], 12),
            ("blk.0.attn_output.weight", &[256, 256], 12),
            ("blk.0.ffn_gate.weight", &[256, 512], 12),
            ("blk.0.ffn_up.weight", &[256, 512], 12),
            ("blk.0.ffn_down.weight", &[512, 256], 12),
        ],
    )
}

#[test]
fn a_known_architecture_has_layers_and_the_bytes_of_its_tensors() {
    let model = Header::read(&llama(1)).unwrap().model("tiny", &Input::default()).unwrap();
    let projections = 2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512;
    assert_eq!(model.parameters().total, 256_000 + 3 * 256 + projections);
    let bytes = 2.0 * 256_000.0 + 4.0 * 768.0 + projections as f64 * 144.0 / 256.0;
    let stored = model.stored_data(flopcast_core::model::stored::bits(16.0)).stored();
    assert!((stored - bytes).abs() < 1e-6 * bytes, "{stored}, not {bytes}");
    assert!(model.forward(flopcast_core::model::AttentionCount::Causal).matmul.stored() > 0.0);
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
}

#[test]
fn tensors_count_where_keys_and_tensors_disagree() {
    let model = Header::read(&llama(2)).unwrap().model("tiny", &Input::default()).unwrap();
    assert_eq!(model.parameters().total, 256_000 + 3 * 256 + 589_824);
    assert!(model.warnings[0].contains("its tensors hold"), "{:?}", model.warnings);
    let other = file(&[("general.architecture", "warp")], &[], &[("w", &[64, 100], 8)]);
    let model = Header::read(&other).unwrap().model("warp", &Input::default()).unwrap();
    assert_eq!(model.parameters().total, 6400);
    assert!(model.warnings[0].contains("`warp` is not known"), "{:?}", model.warnings);
}

#[test]
fn hostile_headers_are_refused() {
    let check = |bytes: &[u8], part: &str| {
        let error = read(|_| Ok(bytes.to_vec())).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(b"", "ends within");
    check(b"GGML", "does not begin");
    check(&[&b"GGUF"[..], &[1, 0, 0, 0]].concat(), "version 1");
    check(&[&b"GGUF"[..], &[3, 0, 0, 0], &[255; 16]].concat(), "tensors and");
    check(&file(&[], &[], &[("w", &[100], 2)]), "shape");
    check(&file(&[], &[], &[("w", &[u64::MAX, 2], 0)]), "shape");
    check(&file(&[], &[], &[("w", &[1], 99)]), "unknown type");
    check(&file(&[], &[], &[("w", &[1], 0), ("w", &[1], 0)]), "twice");
}

proptest! {
    #[test]
    fn damaged_files_end_in_an_answer(at in 0_usize..900, letter: u8, cut in 0_usize..1000) {
        let mut bytes = llama(1);
        let at = at % bytes.len();
        bytes[at] = letter;
        bytes.truncate(cut);
        if let Ok(header) = read(|_| Ok(bytes.clone())) {
            let _ = header.model("damaged", &Input::default());
        }
    }
}
