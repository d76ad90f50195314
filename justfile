set shell := ["bash", "-euo", "pipefail", "-c"]

sngan := "cargo run --quiet --release --package sngan-cli --"
# Every table and figure; the tables made from the code alone are the same at every scale.
scored_tables := "table1 table2 table7 table8"
code_tables := "table3 table4 table5 table6"
tables := scored_tables + " " + code_tables
figures := "fig1 fig2 fig3 fig4 fig5 fig6 fig7 fig8 fig9 fig11 fig12 fig13 fig14 fig15 ranks stable-rank training"
timed_figures := "fig10"

# List the recipes
default:
    @just --list --unsorted

# Train, score, tabulate and draw Table 1's grid; scales: smoke, quick, narrow, wide, paper
reproduce-table1 scale="quick":
    cargo build --release --package sngan-cli
    {{ sngan }} sweep table1 --scale {{ scale }} --out runs/table1-{{ scale }}
    {{ sngan }} draw runs/table1-{{ scale }}
    @echo "tables: runs/table1-{{ scale }}/tables   figures: runs/table1-{{ scale }}/figures"

# Train one SN-GAN until its samples show garments, and draw them
demo:
    cargo build --release --package sngan-cli
    {{ sngan }} sweep demo --out runs/demo-quick
    {{ sngan }} draw runs/demo-quick
    {{ sngan }} generate runs/demo-quick/runs/* -n 64 --columns 16 --zoom 4 --out runs/demo-quick/samples.png

# Draw every table and figure of the paper from the committed records into runs/drawn; one without records says which commands make them
figures records="results" scale="quick":
    cargo build --release --package sngan-cli
    for id in {{ tables }}; do {{ sngan }} table "$id" --records {{ records }} --scale {{ scale }} --compare || true; done
    for id in {{ figures }} {{ timed_figures }}; do {{ sngan }} figure "$id" --records {{ records }} --scale {{ scale }} --compare || true; done

# Put a sweep's claims, figures and scores on one page, OUT/report.html
report out="runs/table1-quick":
    {{ sngan }} report {{ out }}

# Singular values of every run of a sweep
spectra out="runs/table1-quick":
    {{ sngan }} record-spectrum {{ out }}/runs/*

# Does one power iteration keep σ(W̄) near 1 over 5,000 updates? Prints the range from update 100 on
spectral-stability:
    {{ sngan }} sweep spectral-stability --out runs/spectral-stability-quick
    {{ sngan }} draw runs/spectral-stability-quick
    {{ sngan }} sigma-range runs/spectral-stability-quick/runs/* --from 100

# Licenses, sources and crates that must not come in (deny.toml); advisories need a database from GitHub: just advisories
deny:
    command -v cargo-deny > /dev/null || cargo install cargo-deny --locked
    cargo deny --all-features check licenses bans sources

# Write THIRD-PARTY-LICENSES.txt anew, after a change of Cargo.lock
third-party:
    cargo fetch --locked
    python3 tools/third_party.py

# Known vulnerabilities of what is built in; skipped with a reason where their database cannot be fetched
advisories:
    command -v cargo-deny > /dev/null || cargo install cargo-deny --locked
    cargo deny check advisories || { cargo deny fetch db > /dev/null 2>&1 && exit 1 || echo "skipped: the database of advisories could not be fetched"; }

# The whole grid's plumbing at tiny size, from training to figures
smoke out="runs/smoke":
    {{ sngan }} sweep table1 --scale smoke --out {{ out }}
    {{ sngan }} draw {{ out }}

# Every experiment at tiny size, and every table and figure of the paper drawn from what they record
smoke-all:
    cargo build --release --package sngan-cli
    for file in experiments/*.toml; do name=$(basename "$file" .toml); case "$name" in settings|scales|claims|claims-since-2018|demo|spectral-stability) ;; *) {{ sngan }} sweep "$name" --scale smoke ;; esac; done
    {{ sngan }} bench figure10 --width-divisor 16 --sizes 16,24 --batch 8 --rounds 1 --repeat 1 --out runs/figure10-smoke
    for id in {{ tables }}; do {{ sngan }} table "$id" --scale smoke --compare --out runs/drawn-smoke; done
    for id in {{ figures }}; do {{ sngan }} figure "$id" --scale smoke --compare --out runs/drawn-smoke; done
    for id in {{ timed_figures }}; do {{ sngan }} figure "$id" --from runs/figure10-smoke --compare --out runs/drawn-smoke; done

# Check what `just smoke OUT`, `just report OUT` and `just smoke-all` have written
check-smoke out="runs/smoke":
    python3 tools/check_smoke.py {{ out }}

# Kill a sweep, a scoring, a pack and a report at 20 random moments each; all must end in the bits of an undisturbed one (a test of crates/data kills a download)
kill-sweep kills="20" seed="0":
    cargo build --release --package sngan-cli
    python3 tools/kill_sweep.py --sngan target/release/sngan --kills {{ kills }} --seed {{ seed }}

# Run all tests, with cargo-nextest where it is installed
test:
    if cargo nextest --version > /dev/null 2>&1; then cargo nextest run --release --workspace && cargo test --doc --release --workspace; else cargo test --release --workspace; fi

# Test the Python package (makes a virtual environment with pandas and pyarrow from PyPI)
test-python venv="target/python-venv":
    cargo build --release --package sngan-cli
    [ -x {{ venv }}/bin/python ] || (python3 -m venv {{ venv }} && {{ venv }}/bin/pip install --quiet pandas pyarrow)
    SNGAN_BINARY=target/release/sngan PYTHONPATH=python {{ venv }}/bin/python -m unittest discover -s python/tests

# Build the wheel, the program with its Python package, for any Linux with glibc 2.28 or later into target/wheels (makes a virtual environment with maturin and zig from PyPI)
wheel venv="target/maturin-venv":
    [ -x {{ venv }}/bin/python-zig ] || (python3 -m venv {{ venv }} && {{ venv }}/bin/pip install --quiet 'maturin[zig]>=1.9,<2')
    PATH="$PWD/{{ venv }}/bin:$PATH" maturin build --release --locked --zig --compatibility manylinux_2_28 --out target/wheels

# Feed every reader inputs that nobody meant to write; `target` is a part of a reader's name (crates/cli/tests/fuzz)
fuzz inputs="1000000" target="":
    cargo test --release --workspace --test fuzz -- --inputs {{ inputs }} {{ target }}

# The same for three seconds each, about a minute in all
fuzz-short:
    cargo test --release --workspace --test fuzz -- --seconds 3

# Format, lints, documentation, links and scripts
check:
    python3 tools/check_links.py
    python3 tools/check_ci.py
    python3 tools/check_sbatch.py
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --quiet
    cargo package --workspace --no-verify --allow-dirty --quiet
    python3 tools/third_party.py --check

# Build the book of docs/ into target/book, and check its links (installs mdbook if it is missing)
book:
    command -v mdbook > /dev/null || cargo install mdbook --locked
    mdbook build
    python3 tools/check_links.py --book target/book

# Check that the committed PTX is what the kernels' sources give (makes a virtual environment with NVRTC from PyPI; no GPU)
check-ptx venv="target/nvrtc-venv":
    [ -x {{ venv }}/bin/python ] || (python3 -m venv {{ venv }} && {{ venv }}/bin/pip install --quiet nvidia-cuda-nvrtc-cu12==12.4.127)
    {{ venv }}/bin/python crates/cuda/kernels/make_ptx.py --check

# On a machine with an NVIDIA GPU: whether it computes what it should, how fast, and a training. `stage` is truth, sanitize, speed, train or all
gpu-check stage="all" *options="":
    cargo build --release --package sngan-cli
    python3 tools/gpu_check.py {{ stage }} --sngan target/release/sngan {{ options }}

# Measure kernels and updates; medians of several
bench:
    cargo bench --workspace --bench kernels --bench update --bench layers

# Measure single updates against PyTorch's, alternately; `venv` is made with PyTorch from PyPI if it is not there
bench-vs-pytorch venv="target/pytorch-venv" *options="":
    cargo build --release --package sngan-cli
    python3 tools/bench_vs_pytorch.py --venv {{ venv }} {{ options }}

# Run the kernels' tests under valgrind, which lacks AVX-512 and so takes the AVX2 path
valgrind $PROPTEST_CASES="6" $RAYON_NUM_THREADS="1" $CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind -q --error-exitcode=9":
    cargo test --release --package sngan-kernels --test suite -- --test-threads 1 every_choice winograd_equals epilogues rows:: optimizer

# Count the instructions of one small update on the AVX2 path: a figure that does not depend on the machine's load
callgrind:
    cargo build --release --package sngan-cli
    valgrind --tool=callgrind --callgrind-out-file=target/callgrind.out target/release/sngan bench update --threads 1 --size 16 --width-divisor 8 --batch 8 --repeat 1 2>&1 | grep -E "Collected|refs"

# Read event files of a training with TensorBoard's own reader and compare them with its records (makes a virtual environment; needs PyPI)
check-tensorboard venv="target/tensorboard-venv":
    cargo build --release --package sngan-cli
    [ -x {{ venv }}/bin/tensorboard ] || (python3 -m venv {{ venv }} && {{ venv }}/bin/pip install --quiet tensorboard)
    rm -rf target/tensorboard-run
    {{ venv }}/bin/python tools/check_tensorboard.py --sngan target/release/sngan --out target/tensorboard-run

# Compare with PyTorch: random cases of every method in every setting, exports of every network (in onnxruntime too), an imported state dict (makes a virtual environment; needs PyPI)
parity seeds="1" venv="target/parity-venv":
    cargo build --release --package sngan-cli
    [ -x {{ venv }}/bin/torchrun ] || (python3 -m venv {{ venv }} && {{ venv }}/bin/pip install --quiet torch numpy safetensors)
    {{ venv }}/bin/python -c "import onnxruntime" 2> /dev/null || {{ venv }}/bin/pip install --quiet onnxruntime || true
    {{ venv }}/bin/python crates/core/tests/fixtures/fresh.py --sngan target/release/sngan --seeds {{ seeds }}
    {{ venv }}/bin/python tools/parity_exchange.py --sngan target/release/sngan --out target/parity-exchange
    {{ venv }}/bin/python crates/core/tests/fixtures/import/resnet32.py --pth target/parity-import --divisor 1 --sngan target/release/sngan

# Compare imported snapshots with Chainer itself, where it can be had (makes a virtual environment; needs PyPI and a Python up to 3.11, for which NumPy 1.23.5 has wheels)
parity-chainer venv="target/parity-chainer-venv" python="python3":
    cargo build --release --package sngan-cli
    [ -x {{ venv }}/bin/f2py ] || ({{ python }} -m venv {{ venv }} && {{ venv }}/bin/pip install --quiet --only-binary numpy numpy==1.23.5 "setuptools<70" wheel six safetensors) || true
    {{ venv }}/bin/python -c "import chainer" 2> /dev/null || {{ venv }}/bin/pip install --quiet --no-build-isolation chainer==7.8.1 || true
    if {{ venv }}/bin/python -W ignore -c "import chainer, safetensors"; then {{ venv }}/bin/python -W ignore crates/core/tests/fixtures/import/chainer_snapshot.py --sngan target/release/sngan --out target/parity-chainer; else echo "skipped: Chainer 7.8.1 could not be installed for this Python"; fi

# Compare Inception and every metric with torch-fidelity and pytorch-fid, on fresh random weights in every file format (makes a virtual environment; needs PyPI); `cifar` is a folder with CIFAR-10's binary files
parity-eval seed="2" venv="target/parity-eval-venv" cifar="":
    cargo build --release --package sngan-cli
    [ -x {{ venv }}/bin/pytorch-fid ] || (python3 -m venv {{ venv }} && {{ venv }}/bin/pip install --quiet torch torchvision torch-fidelity pytorch-fid pytorch-msssim scipy safetensors)
    {{ venv }}/bin/python tools/parity_eval/inception.py --seed {{ seed }} --out target/parity-eval/inception
    SNGAN_PARITY_INCEPTION="$PWD/target/parity-eval/inception" cargo test --release --workspace --test inception whole_weights -- --nocapture
    {{ venv }}/bin/python tools/parity_eval/metrics.py --sngan target/release/sngan --inception target/parity-eval/inception --out target/parity-eval/metrics {{ if cifar == "" { "" } else { "--cifar " + cifar } }}
    {{ venv }}/bin/python tools/parity_eval/fid.py --sngan target/release/sngan --inception target/parity-eval/inception --out target/parity-eval/fid

# Check the published inception score of CIFAR-10's training images, 11.24 ± 0.12 (about an hour on two cores; needs `just fetch cifar10` and `just fetch inception`); cut off, it continues
inception-cifar10 data="data":
    cargo build --release --package sngan-cli
    {{ sngan }} score --images cifar10:train --protocols is_50k_split10 --backbone inception --data-dir {{ data }} --cache target/inception-cifar10 --json | tee target/inception-cifar10.json
    python3 -c 'import json; s = json.load(open("target/inception-cifar10.json"))["value"]; assert abs(s - 11.24) <= 0.12, s; print("inception score", s, "is the published one")'

# Measure FID of two statistics against torch-fidelity's, alternately (after `just parity-eval`, whose environment it takes)
bench-fid venv="target/parity-eval-venv" *options="":
    cargo build --release --package sngan-cli
    {{ venv }}/bin/python tools/bench_fid.py {{ options }}

# Measure Inception's images per second against torch-fidelity's, alternately (after `just parity-eval`, whose weights it takes)
bench-inception venv="target/parity-eval-venv" *options="":
    cargo build --release --package sngan-cli
    {{ venv }}/bin/python tools/bench_inception.py --weights target/parity-eval/inception/old.pth {{ options }}

# Fetch a data set into ./data
fetch name="cifar10":
    {{ sngan }} data fetch {{ name }}

# Gather the records of every sweep of a scale that is in runs/ into results/, and draw what is committed from them
publish-all scale="quick":
    #!/usr/bin/env bash
    set -euo pipefail
    for plan in runs/*-{{ scale }}/plan.json; do just publish "$(basename "$(dirname "$plan")")"; done
    if [ -e runs/figure10/figure10.json ]; then
        mkdir -p results/figure10 && cp runs/figure10/figure10.json results/figure10/
    fi
    just publish-drawings

# Gather what is committed of a sweep into results/NAME: its records and the samples that figures draw, no weights; of large ones not all of it
publish name:
    #!/usr/bin/env bash
    set -euo pipefail
    case {{ name }} in
        since-2018-quick) without="--without log,layers,timing,samples" ;;
        width-quick) without="--without layers,samples" ;;
        last-layer-quick) without="--without samples" ;;
        *) without="" ;;
    esac
    {{ sngan }} collect runs/{{ name }} --out results $without
    [ ! -e runs/{{ name }}/samples.png ] || cp runs/{{ name }}/samples.png results/{{ name }}/

# Put the generators of these run folders into weights/, named by run and scale, and their pictures into docs/gallery; a test says which rows docs/gallery.md needs
publish-weights +runs:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release --package sngan-cli
    mkdir -p weights docs/gallery
    for run in {{ runs }}; do
        run=$(realpath "$run") && sweep=$(basename "$(dirname "$(dirname "$run")")")
        name=$(basename "${run%-*}")-${sweep##*-}
        target/release/sngan export "$run" --format weights --out "weights/$name.safetensors"
        target/release/sngan generate --weights "weights/$name.safetensors" --zoom 2 --out "docs/gallery/$name.png"
    done

# Write the committed tables, claims and pictures anew from the committed records; OUT other than results is for comparing
publish-drawings out="results":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release --package sngan-cli
    sngan=target/release/sngan out={{ out }} drawn=$(mktemp -d)
    trap 'rm -rf "$drawn"' EXIT
    for scale in quick narrow wide; do
        folders=(results/*-$scale/plan.json) && [ -e "${folders[0]}" ] || continue
        rm -rf "$out/tables-$scale" && mkdir -p "$out/tables-$scale"
        # Those that are made from the code alone stand once.
        ids="{{ tables }}" && [ $scale = quick ] || ids="{{ scored_tables }}"
        for id in $ids; do $sngan table "$id" --records results --scale $scale --compare --out "$drawn/$scale" > /dev/null 2>&1 || true; done
        mv "$drawn/$scale"/*.md "$out/tables-$scale/"
        folders=("${folders[@]%/plan.json}")
        if [ $scale = quick ]; then folders+=(results/figure10); fi
        $sngan claims --markdown "${folders[@]}" > "$out/claims-$scale.md"
    done
    # The methods after the paper, which have claims of their own.
    later=results/since-2018-quick
    $sngan claims --markdown "$later" --claims experiments/claims-since-2018.toml > "$out/claims-since-2018-quick.md"
    $sngan table levels --from "$later" --out "$drawn/later" > /dev/null
    cp "$drawn/later/levels.md" "$out/levels-since-2018-quick.md"
    rm -rf "$out/figures-since-2018-quick" && mkdir -p "$out/figures-since-2018-quick"
    # Those of scores and spectra; logs and samples are not committed.
    for id in fig1 fig2 fig3; do
        $sngan figure "$id" --from "$later" --out "$drawn/later" > /dev/null
        cp "$drawn/later/$id"*.png "$out/figures-since-2018-quick/"
    done
    mkdir -p "$out/figure10-since-2018"
    $sngan figure fig10 --from results/figure10-since-2018 --out "$drawn/later" > /dev/null
    cp "$drawn/later/fig10.png" "$out/figure10-since-2018/"
    # One picture an artefact, of the widest networks that have records for it.
    rm -rf "$out/figures" && mkdir -p "$out/figures"
    for id in {{ figures }} {{ timed_figures }}; do
        for scale in wide narrow quick; do
            $sngan figure "$id" --records results --scale $scale --compare --out "$drawn/figures-$scale" > /dev/null 2>&1 || continue
            picture="$drawn/figures-$scale/$id.png"
            [ -e "$picture" ] || picture="$drawn/figures-$scale/${id}_c.png"
            cp "$picture" "$out/figures/$id.png"
            break
        done
    done

# Do the committed tables and claims say what the committed records say, and are the pictures of the same size?
check-results out="runs/check-results":
    #!/usr/bin/env bash
    set -euo pipefail
    rm -rf "{{ out }}" && mkdir -p "{{ out }}"
    just publish-drawings "{{ out }}"
    for part in $(cd results && ls -d tables-* claims-*.md levels-*.md); do
        diff -r "results/$part" "{{ out }}/$part" || { echo "results/$part is not what results/ says: just publish-drawings" >&2; exit 1; }
    done
    # Pixels may differ between CPUs.
    for picture in results/figure*/*.png; do
        cmp <(head -c 24 "$picture") <(head -c 24 "{{ out }}/${picture#results/}") || { echo "$picture has another size than the committed records give: just publish-drawings" >&2; exit 1; }
    done
