# Short names for what people do every day. Nothing lives here alone: each line is a command of its own.

[private]
default:
    @{{ just_executable() }} --list

# start the whole product in one process
run *args:
    cargo run --release -- {{ args }}

# load a sample team, and see what to ask
demo *args:
    cargo run --release -- demo {{ args }}

# everything that CI runs, or the steps named: just test fmt clippy
test *steps:
    scripts/test {{ steps }}

# format the code
fmt:
    cargo fmt

# measure beside a bare handler: just bench, just bench --services, just bench kernel
bench *args:
    scripts/bench {{ args }}
