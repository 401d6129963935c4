//! Names of repeated layers.

/// A name with the indices of repetitions as `*`: `layers.0.mlp.up_proj` and its neighbours are
/// `layers.*.mlp.up_proj`, `/layer1/layer1.0/Conv_12` is `layer1/layer1.*/Conv_*`. Names beyond
/// 256 letters are cut.
pub(super) fn pattern(name: &str) -> String {
    let mut text = String::with_capacity(name.len().min(256));
    let mut word = String::new();
    let end = |word: &mut String, text: &mut String| {
        let index = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        text.push_str(if index { "*" } else { word });
        word.clear();
    };
    for letter in name.trim_start_matches('/').chars().take(256) {
        if letter.is_alphanumeric() {
            word.push(letter);
        } else {
            end(&mut word, &mut text);
            text.push(letter);
        }
    }
    end(&mut word, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_share_a_name() {
        let check = |name, expected| assert_eq!(pattern(name), expected);
        check("model.layers.12.mlp.experts.7.up_proj", "model.layers.*.mlp.experts.*.up_proj");
        check("/layer1/layer1.0/conv1/Conv", "layer1/layer1.*/conv1/Conv");
        check("node_conv2d_12", "node_conv2d_*");
        check("onnx::MatMul_1234", "onnx::MatMul_*");
        check("", "");
    }
}
