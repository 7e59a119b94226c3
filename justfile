# The recipes people and CI use. `just` lists them.
default:
    @just --list

# Format, lints as errors, docs.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# Every test, offline.
test:
    cargo test

# The shipped definitions.
validate:
    cargo run --release -- validate --deny-warnings connectors mappings
    cargo run --release -- test mappings

# The simulated world.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# SIGKILL under load, with every flow: ROUNDS of EVENTS at random moments, each with the target fast, slow, ambiguous and down
# and with a disk that fills up, and at each named point (20 make about 185 runs: not every pairing has every point).
kill-campaign ROUNDS="20" EVENTS="150":
    cargo build --release
    ML_TEST_BINARY={{justfile_directory()}}/target/release/ml-connector \
        ML_KILL_ROUNDS={{ROUNDS}} ML_KILL_EVENTS={{EVENTS}} cargo test --test tests kill:: -- --nocapture

# The whole engine under seeds: a simulated disk, clock and network, crashes and power cuts.
campaign SEEDS="10000" *ARGS:
    cargo run --release -p ml-connector-campaign -- --seeds {{SEEDS}} {{ARGS}}

# Breaks the engine in one way after the other and demands that the campaign sees it. Builds each: not part of CI.
mutants *NAMES:
    tests/campaign/mutants/run {{NAMES}}

# Figures of the README.
bench *ARGS:
    cargo run --release -p ml-connector-bench -- {{ARGS}}

# Rewrite generated files: schemas, reference manual, expected diagnostics.
bless:
    BLESS=1 cargo test
