//! Embeds the files of `models/`: families by the model types they cover, presets by their name,
//! each a file of its own or a row of a file in `models/presets/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=models");
    println!("cargo::rerun-if-changed=build.rs");
    let mut families = String::new();
    let mut types = Vec::new();
    let files = yaml_files("models/families")?;
    writeln!(families, "static FAMILIES: [Embedded; {}] = [", files.len()).ok();
    for (index, path) in files.iter().enumerate() {
        let text = fs::read_to_string(path)?;
        types.extend(model_types(&text).map(|name| (name.to_owned(), index)));
        let (name, path) = (stem(path), path.to_string_lossy());
        writeln!(families, "    Embedded::new({name:?}, include_str!({path:?})),").ok();
    }
    families.push_str("];\n");
    types.sort();
    writeln!(families, "static TYPES: &[(&str, usize)] = &{types:?};").ok();
    families.push_str("static PRESETS: &[(&str, &str)] = &[\n");
    let mut presets = Vec::new();
    for path in yaml_files("models")? {
        presets.push((stem(&path), format!("include_str!({:?})", path.to_string_lossy())));
    }
    for path in yaml_files("models/presets")? {
        let text = fs::read_to_string(path)?;
        presets.extend(rows(&text).map(|(name, model)| (name.to_owned(), format!("{model:?}"))));
    }
    presets.sort();
    for (name, text) in presets {
        writeln!(families, "    ({name:?}, {text}),").ok();
    }
    families.push_str("];\n");
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    fs::write(out.join("families.rs"), families)
}

/// The YAML files of a folder, by absolute path, sorted.
fn yaml_files(folder: &str) -> io::Result<Vec<PathBuf>> {
    let root = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The presets of a file that has one a line, `name: {...}`: what stands in the braces is a model
/// file of its own.
fn rows(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": "))
}

/// The keys of the top-level section `types:`, which a family writes one per line.
fn model_types(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .skip_while(|line| !line.starts_with("types:"))
        .skip(1)
        .take_while(|line| line.starts_with(' ') || line.trim().is_empty() || line.starts_with('#'))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, _)| name.trim_matches(['\'', '"']))
        .filter(|name| !name.starts_with('#'))
}
