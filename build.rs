//! Links the command line at a fixed address where that saves work: a start of a relocatable one
//! writes 42,000 addresses first, a third of the time that `--version` takes.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| std::env::var_os(key).is_some_and(|it| it == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
