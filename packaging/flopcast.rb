# Homebrew formula: binaries of a release, which `packaging/fill` writes the checksums into.
class Flopcast < Formula
  desc "Forecast FLOPs, cost, energy and carbon of training and serving AI models"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@BASE_URL@/flopcast-v@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "@BASE_URL@/flopcast-v@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@BASE_URL@/flopcast-v@VERSION@-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-gnu@"
    end
    on_intel do
      url "@BASE_URL@/flopcast-v@VERSION@-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-gnu@"
    end
  end

  def install
    bin.install "flopcast"
    generate_completions_from_executable(bin/"flopcast", "completions")
    (man1/"flopcast.1").write Utils.safe_popen_read(bin/"flopcast", "man")
  end

  test do
    system bin/"flopcast", "init", "scenario.yaml"
    assert_match "device-h", shell_output("#{bin}/flopcast estimate scenario.yaml")
  end
end
