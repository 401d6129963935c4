//! Links the command at a fixed address on Linux: a process that lives for a few milliseconds would
//! spend a third of them on moving the pointers of its tables.

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its target so")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
