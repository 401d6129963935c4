//! Number formats by the names of methods and of files that store weights in about as many bits.

/// The number format nearest to what a method stores weights in (`awq`) or a file of llama.cpp does
/// (`q4_k_m`); a method's is of 8 bits where the model's name says so.
pub(super) fn nearest(plain: &str, model: Option<&str>) -> Option<&'static str> {
    let bits = match plain {
        "awq" | "gptq" | "nf4" | "bnb" | "bitsandbytes" | "gguf" => {
            let model = model.unwrap_or_default().to_lowercase();
            let eight = ["8bit", "8-bit", "int8", "w8a", "q8"];
            if eight.iter().any(|it| model.contains(it)) { 8 } else { 4 }
        }
        "w8a16" => 8,
        _ => llama_cpp(plain)?,
    };
    Some(if bits > 5 { "int8" } else { "int4" })
}

/// The bits of a file's format: 4 of `q4_k_m`, `q4_0` and `iq4_xs`.
fn llama_cpp(plain: &str) -> Option<u32> {
    let (bits, kind) = plain.trim_start_matches('i').strip_prefix('q')?.split_once('_')?;
    let known = ["0", "1", "k", "xxs", "xs", "s", "m", "nl"];
    known.contains(&kind.split('_').next()?).then(|| bits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn methods_and_files_have_the_nearest_number_format() {
        let cases = [
            ("llama-3.1-8b", "awq", "int4"),
            ("llama-3.1-8b", "GPTQ", "int4"),
            ("llama-3.1-8b-gptq-8bit", "gptq", "int8"),
            ("llama-3.1-8b", "nf4", "int4"),
            ("llama-3.1-8b", "gguf", "int4"),
            ("llama-3.1-8b", "Q4_K_M", "int4"),
            ("llama-3.1-8b", "iq4_xs", "int4"),
            ("llama-3.1-8b", "q5_k_s", "int4"),
            ("llama-3.1-8b", "q6_k", "int8"),
            ("llama-3.1-8b", "q8_0", "int8"),
            ("llama-3.1-8b", "w8a16", "int8"),
        ];
        for (model, typed, word) in cases {
            let file =
                |key: &str, format| format!("{{model: {model}, inference: {{{key}: {format}}}}}");
            check(&file("precision", typed), &file("precision", word));
            check(&file("quantization", typed), &file("precision", word));
        }
    }
}
