//! What people install flopcast with, on a release that a server on the loopback holds.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::common::root;
use super::folder;
use super::server::{Reply, Server};

const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

/// A release of version 1.2.3 in a folder: archives whose binary says its version, checksums, and
/// the files of package managers.
struct Release {
    binaries: PathBuf,
    packages: PathBuf,
}

impl Release {
    fn new(name: &str) -> Self {
        let binaries = folder(&format!("install-{name}"));
        let packages = binaries.join("packages");
        for target in TARGETS {
            let name = format!("flopcast-v1.2.3-{target}");
            let inner = binaries.join(&name);
            fs::create_dir(&inner).expect("a folder");
            let binary = inner.join("flopcast");
            fs::write(&binary, "#!/bin/sh\necho flopcast 1.2.3\n").expect("written");
            fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("a mode");
            let end = if target.contains("windows") { "zip" } else { "tar.gz" };
            run(Command::new("tar").arg("-czf").arg(format!("{name}.{end}")).arg(&name), &binaries);
        }
        fs::write(binaries.join("flopcast-v1.2.3-source.tar.gz"), "sources").expect("written");
        let sums = "sha256sum flopcast-*.tar.gz flopcast-*.zip > SHA256SUMS";
        run(Command::new("sh").args(["-c", sums]), &binaries);
        Self { binaries, packages }
    }

    fn fill(&self, version: &str, home: &str) -> Output {
        Command::new(root().join("packaging/fill"))
            .args([version, home])
            .args([&self.binaries, &self.packages])
            .output()
            .expect("bash is there")
    }

    /// Serves the files as they are in the folder.
    fn serve(&self) -> Server {
        let binaries = self.binaries.clone();
        Server::new(move |seen, _| {
            let path = seen.line.split(' ').nth(1).unwrap_or_default();
            let name = Path::new(path).file_name().map(PathBuf::from).unwrap_or_default();
            match fs::read(binaries.join(name)) {
                Ok(bytes) => Reply::ok("application/octet-stream", bytes),
                Err(_) => Reply::status(404, &[]),
            }
        })
    }

    fn install(&self, server: &Server, into: &Path) -> Output {
        Command::new("sh")
            .arg(self.packages.join("install.sh"))
            .env("FLOPCAST_BASE_URL", &server.base)
            .env("FLOPCAST_INSTALL_DIR", into)
            .output()
            .expect("a shell")
    }
}

fn run(command: &mut Command, folder: &Path) {
    let output = command.current_dir(folder).output().expect("the command");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_installer_brings_the_binary_and_takes_the_place_of_an_older_one() {
    let release = Release::new("well");
    let filled = release.fill("1.2.3", "https://example.org/flopcast");
    assert!(filled.status.success(), "{}", said(&filled));
    let (server, into) = (release.serve(), release.binaries.join("bin"));
    for _ in 0..2 {
        let output = release.install(&server, &into);
        assert!(output.status.success(), "{}", said(&output));
        let version = Command::new(into.join("flopcast")).output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&version.stdout), "flopcast 1.2.3\n");
        let names: Vec<_> = fs::read_dir(&into).expect("the folder").flatten().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }
}

#[test]
fn the_installer_refuses_what_the_release_did_not_say() {
    let release = Release::new("badly");
    assert!(release.fill("1.2.3", "https://example.org/flopcast").status.success());
    let (server, into) = (release.serve(), release.binaries.join("bin"));
    let archives: Vec<_> = TARGETS[..4]
        .iter()
        .map(|target| release.binaries.join(format!("flopcast-v1.2.3-{target}.tar.gz")))
        .collect();
    for archive in &archives {
        fs::write(archive, "something else").expect("written");
    }
    let output = release.install(&server, &into);
    assert!(!output.status.success() && said(&output).contains("the checksum of"), "{output:?}");
    for archive in &archives {
        fs::remove_file(archive).expect("it was there");
    }
    let output = release.install(&server, &into);
    assert!(!output.status.success() && said(&output).contains("cannot be fetched"), "{output:?}");
    fs::write(release.binaries.join("SHA256SUMS"), "").expect("written");
    let output = release.install(&server, &into);
    assert!(!output.status.success(), "{output:?}");
    assert!(!into.exists(), "nothing is installed");
}

#[test]
fn package_files_are_filled_whole_or_not_at_all() {
    let release = Release::new("packages");
    let home = "https://example.org/flopcast";
    assert!(release.fill("1.2.3", home).status.success());
    let read = |name: &str| fs::read_to_string(release.packages.join(name)).expect("a file");
    let formula = read("flopcast.rb");
    assert!(formula.contains(&format!("{home}/releases/download/v1.2.3/flopcast-v1.2.3-")));
    for name in ["conda/recipe.yaml", "winget/flopcast.yaml", "winget/flopcast.installer.yaml"] {
        let yaml: serde_yaml::Value = serde_yaml::from_str(&read(name)).expect(name);
        assert!(yaml.is_mapping(), "{name}");
    }
    for (version, home) in
        [("1.2", home), ("1.2.3;id", home), ("1.2.3", "example.org"), ("1.2.3", "https://a/$(id)")]
    {
        assert!(!release.fill(version, home).status.success(), "{version} {home}");
    }
    fs::write(release.binaries.join("SHA256SUMS"), "").expect("written");
    assert!(!release.fill("1.2.3", home).status.success(), "no checksums");
}
