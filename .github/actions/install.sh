# Installs the harness, out of the repository that this file is in, by hashes.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 -m pip install --require-hashes --only-binary :all: --requirement requirements/uv.txt
python3 -m pip install --require-hashes --only-binary :all: --requirement requirements/chaos.txt
wheel=$(mktemp -d)
python3 -m uv build --wheel --require-hashes --build-constraints requirements/tests.txt --out-dir "$wheel"
python3 -m pip install --no-index --no-deps "$wheel"/*.whl
