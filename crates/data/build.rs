//! Turns the YAML of `models/` and `hardware/` into JSON and lists it: families by the model types
//! they cover, presets by their name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use serde_json::Value;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    // A published package carries the facts beside its source; a checkout has them at its root.
    let package = folder("CARGO_MANIFEST_DIR")?;
    let packed = package.join("facts");
    let root = if packed.is_dir() { packed } else { package.join("../..") };
    println!("cargo::rustc-env=FLOPCAST_FACTS={}", root.display());
    let out = folder("OUT_DIR")?;
    for name in ["calibration", "kernel-calibration", "run-calibration", "serving-calibration"] {
        let json = json(&root.join(format!("hardware/{name}.yaml")))?;
        fs::write(out.join(name).with_extension("json"), json.to_string())?;
    }
    let prices = newest(&root.join("pricing/prices.csv"), "as_of")?;
    println!("cargo::rustc-env=FLOPCAST_NEWEST_PRICE={prices}");
    for (name, cells) in TABLES {
        let groups = groups(&root.join(format!("{name}.csv")), *cells)?;
        fs::write(out.join(format!("{}.rs", name.replace('/', "-"))), groups)?;
    }
    fs::write(out.join("jobs.rs"), dialects(&root.join("jobs"))?)?;
    let models = root.join("models");
    fs::write(out.join("models.rs"), families(&models)? + &presets(&models)?)
}

/// The tables of the catalog, and the leading cells that the rows of a group share: those that a
/// look-up gives.
const TABLES: &[(&str, usize)] = &[
    ("hardware/accelerators", 1),
    ("hardware/aliases", 1),
    ("pricing/api", 1),
    ("pricing/defaults", 1),
    ("pricing/index", 1),
    ("pricing/prices", 1),
    ("pricing/purchase", 1),
    ("regions/electricity", 1),
    ("regions/grid", 1),
    ("regions/hourly", 1),
    ("regions/regions", 2),
    ("regions/residual", 1),
    ("regions/signals", 1),
    ("regions/water", 1),
    ("regions/zones", 1),
    ("sources", 1),
];

/// The groups of a table as a `Groups`: consecutive rows of the same leading cells, and their order
/// by the first of these.
fn groups(path: &Path, cells: usize) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path)?;
    let mut found: Vec<(Vec<&str>, [usize; 3])> = Vec::new();
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let end = start + line.len();
        let key: Vec<&str> = line.trim_end().split(',').take(cells).collect();
        if key.iter().any(|cell| cell.contains('"') || *cell != cell.trim()) {
            let message = format!("{}:{}: a key is not plain", path.display(), number + 1);
            return Err(io::Error::other(message));
        }
        match found.last_mut() {
            // The header is no row.
            _ if number == 0 => {}
            Some((last, [_, until, _])) if *last == key => *until = end,
            _ => found.push((key, [start, end, number + 1])),
        }
        start = end;
    }
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|at| &found[*at].0[0]);
    let mut keys: Vec<&[&str]> = found.iter().map(|(key, _)| key.as_slice()).collect();
    keys.sort_unstable();
    let twice = keys.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(one),
        _ => None,
    });
    if let Some(key) = twice {
        let message = format!("{}: rows of {key:?} stand apart", path.display());
        return Err(io::Error::other(message));
    }
    let groups = found.iter().map(|(key, [start, end, line])| {
        let second = key.get(1).map_or(0, |cell| cell.len());
        format!("Group::new({start}, {end}, {line}, {}, {second}),", key[0].len())
    });
    Ok(format!(
        "Groups {{ cells: {cells}, places: &[{}], order: &{order:?} }}",
        groups.collect::<String>()
    ))
}

/// `FAMILIES`, the templates by name, and `TYPES`, which of them covers a model type.
fn families(models: &Path) -> io::Result<String> {
    let mut text = "/// Families of architectures: their name and their template as JSON.\n\
                    pub static FAMILIES: &[(&str, &str)] = &[\n"
        .to_owned();
    let mut types = Vec::new();
    for (index, path) in yaml_files(&models.join("families"))?.iter().enumerate() {
        let json = json(path)?;
        let covered = json.get("types").and_then(Value::as_object);
        types.extend(
            covered.into_iter().flat_map(|types| types.keys().cloned()).map(|t| (t, index)),
        );
        writeln!(text, "    ({:?}, {:?}),", stem(path), json.to_string()).ok();
    }
    types.sort();
    writeln!(
        text,
        "];\n/// Model types in alphabetical order, each with the index of its family.\n\
         pub static TYPES: &[(&str, usize)] = &{types:?};"
    )
    .ok();
    Ok(text)
}

/// `PRESETS`, sorted by name: each a file of its own, or a row of a file in `models/presets/`.
fn presets(models: &Path) -> io::Result<String> {
    let mut presets = Vec::new();
    for path in yaml_files(models)? {
        presets.push((stem(&path), json(&path)?.to_string(), fs::read_to_string(&path)?));
    }
    for path in yaml_files(&models.join("presets"))? {
        let rows = json(&path)?;
        for (name, model) in rows.as_object().into_iter().flatten() {
            let yaml = serde_yaml::to_string(model).map_err(io::Error::other)?;
            presets.push((name.clone(), model.to_string(), yaml));
        }
    }
    presets.sort();
    if let Some(pair) = presets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(io::Error::other(format!("two presets are called {}", pair[0].0)));
    }
    let mut text = "/// Presets in alphabetical order: name, model file as JSON, and as YAML.\n\
                    pub static PRESETS: &[(&str, &str, &str)] = &[\n"
        .to_owned();
    for (name, json, yaml) in presets {
        writeln!(text, "    ({name:?}, {json:?}, {yaml:?}),").ok();
    }
    text.push_str("];\n");
    Ok(text)
}

/// `DIALECTS`, the words of frameworks for the settings of jobs.
fn dialects(folder: &Path) -> io::Result<String> {
    let mut text = "/// Dialects of job files: their file and their table as JSON.\n\
                    pub static DIALECTS: &[(&str, &str)] = &[\n"
        .to_owned();
    for path in yaml_files(folder)? {
        writeln!(text, "    ({:?}, {:?}),", stem(&path), json(&path)?.to_string()).ok();
    }
    text.push_str("];\n");
    Ok(text)
}

/// The last of the dates in a column of a table, none of whose cells before it has a comma.
fn newest(path: &Path, column: &str) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path)?;
    let mut lines = text.lines().map(|line| line.split(',').map(str::trim));
    let place = lines.next().and_then(|mut header| header.position(|name| name == column));
    let place = place.ok_or_else(|| io::Error::other(format!("no column {column}")))?;
    Ok(lines.filter_map(|mut cells| cells.nth(place)).max().unwrap_or_default().to_owned())
}

fn folder(variable: &str) -> io::Result<PathBuf> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| io::Error::other(variable.to_owned()))
}

/// The YAML file as JSON, its keys in their order.
fn json(path: &Path) -> io::Result<Value> {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path)?;
    serde_yaml::from_str(&text)
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// The YAML files of a folder, sorted.
fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
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
