# `just` lists the recipes. `just ci` is what decides: the same script runs on GitHub.

# What there is.
default:
    @just --list

# Everything that has to pass: format, licences, lints, documentation, tests.
ci:
    .ci/run

# The dashboard.
run *arguments:
    cargo run --release --locked -- {{ arguments }}

# The tests; with a name, those that contain it.
test *names:
    cargo test --release --locked {{ names }}

# The fast part of `just ci`, before each commit.
lint:
    cargo fmt --check
    cargo clippy --release --locked --all-targets -- -D warnings

# Writes the snapshots of screens and of help anew; read the difference before you commit it.
snapshots:
    INSTA_UPDATE=always cargo test --release --locked --test screen --test cli

# The speed of one attack step and of one frame.
bench:
    cargo bench --locked

# The program as it is handed out: small and as fast as can be, and slow to compile.
dist:
    cargo build --profile dist --locked
