#!/bin/bash
# A model's own chat template from end to end: --template, --date, --score-at, pro-model template.
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
cd "$T" || exit 1

# ---- models of 259 tokens with a chat template

model() { # model DIR lm|reward TEMPLATE
	local arch=LlamaForCausalLM extra=
	[ "$2" = reward ] && arch=LlamaForSequenceClassification extra='"num_labels":1,'
	[ -d tok ] || pro-model tokenizer --vocab 259 -q -o tok --special '<|endoftext|>' \
		--special '<|im_start|>' --special '<|im_end|>' <<<'the cat sat' || return 1
	cat >c.json <<-EOF
		{"architectures":["$arch"],"model_type":"llama",$extra"hidden_size":16,"intermediate_size":32,
		"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"vocab_size":259,
		"max_position_embeddings":512,"rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu",
		"tie_word_embeddings":false,"initializer_range":0.3}
	EOF
	pro-model init -q -o "$1" -t tok c.json || return 1
	[ -z "$3" ] || jq --arg t "$3" '.chat_template = $t' tok/tokenizer_config.json >"$1/tokenizer_config.json"
}
turn="{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}"
generate="{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
chatml="{% for m in messages %}$turn{% endfor %}$generate"
dated="{{ '<|im_start|>system\\n' + strftime_now('%d %b %Y') + '<|im_end|>\\n' }}$chatml"
alternating="{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Roles must alternate') }}{% endif %}$turn{% endfor %}$generate"
model policy lm "$chatml" && model dated lm "$dated" && model strict lm "$alternating" && model plain lm '' &&
	model rm reward "$chatml"
status "models with chat templates" $?
cat >in.jsonl <<'EOF'
{"id":"a","prompt":[{"role":"user","content":"Hi"}],"responses":[{"text":"Yes.","reward":2},{"text":"No","reward":1}]}
{"id":"b","prompt":"Why?","responses":[{"text":"So","reward":1,"finish_reason":"length"},{"text":"Not <|im_end|>","reward":0}]}
EOF
cat >bad.jsonl <<'EOF'
{"id":"twice","prompt":[{"role":"user","content":"Hi"},{"role":"user","content":"Ho"}],"responses":[{"text":"Y","reward":1},{"text":"N","reward":0}]}
EOF

# ---- what is written

check "template: the folder's own is shown" pro-model template policy in.jsonl
check_err "template: the choice is said" "template chat_template \(the folder's own\)"
cat >want <<'EOF'
==> "a", prompt: 21 tokens
| <|im_start|>user
| Hi<|im_end|>
| <|im_start|>assistant
| 
==> "a", response 1: 5 tokens
| Yes.<|im_end|>
==> "a", behind response 1
| 
| 
==> "a", response 2: 3 tokens
| No<|im_end|>
==> "a", behind response 2
| 
| 
EOF
head -n 15 "$T/out" | cmp -s - want
status "template: prompt, response and what is behind it" $?
check "template: --json" pro-model template --json policy in.jsonl
jq -se '.[0].prompt.text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n" and .[0].prompt.ids[0] == 1 and
	.[0].responses[0].text == "Yes.<|im_end|>" and (.[0].responses[0].ids | length == 5 and last == 2) and
	.[0].responses[0].rest == "\n" and .[1].responses[0].text == "So" and .[1].responses[0].rest == "" and
	.[1].responses[1].text == "Not <|im_end|><|im_end|>" and (.[1].responses[1].ids | map(select(. == 2)) == [2])' \
	"$T/out" >/dev/null
status "template: special tokens are the template's alone" $?
check "template: a folder without one" pro-model template --json plain in.jsonl
jq -se '.[0].prompt.text == "\n\nHuman: Hi\n\nAssistant:" and .[0].responses[0].text == " Yes." and
	.[0].responses[0].end == "<|endoftext|>"' "$T/out" >/dev/null
status "template: the built-in's end is a token" $?
check "template: one of other models" pro-model template --template llama3 plain in.jsonl
check_err "template: whose marks are no tokens here is said" "no token that ends its turns"
check "template: --source" pro-model template --source policy
holds "template: the source is what the folder has" "$(cat "$T/out")" = "$chatml"
check "template: in is out and rejected" pro-model template strict bad.jsonl in.jsonl
check_err "template: a refusal is told" 'bad.jsonl:1: refused by the template: Roles must alternate'
adds_up "template: counts"
check "info" pro-model info dated
check_out "info: names it" '^template +chat_template$'
check_out "info: the date" '^template_date +2024-07-26$'
printf '%s' "$dated" >own.jinja
check "template: a file" pro-model template --json --template own.jinja plain in.jsonl
jq -se '.[0].prompt.text | startswith("<|im_start|>system\n26 Jul 2024<|im_end|>\n")' "$T/out" >/dev/null
status "template: the file is rendered" $?
cp -r policy named
jq --arg t "$dated" '.chat_template = [{name:"rag",template:"x"},{name:"default",template:$t}]' tok/tokenizer_config.json >list.json
check "template: another folder's tokenizer_config.json" pro-model template --json --template ./list.json plain in.jsonl
jq -se '.[0].prompt.text | startswith("<|im_start|>system\n26 Jul 2024<|im_end|>\n")' "$T/out" >/dev/null
status "template: the default of its list" $?
jq --arg t "$chatml" --arg u "$dated" '.chat_template = [{name:"tool_use",template:$u},{name:"default",template:$t}]' \
	tok/tokenizer_config.json >named/tokenizer_config.json
pro-model template -q --json named in.jsonl >named.out
pro-model template -q --json policy in.jsonl >policy.out
same "template: of several named ones the default is taken" named.out policy.out
check "template: another by its name" pro-model template --template tool_use --json named in.jsonl
check_err "template: its name is said" 'template tool_use .*the date: 2024-07-26'
check_exit 64 "template: a name that is not there" pro-model template --template rag named in.jsonl
printf '%s' "$dated" >named/chat_template.jinja
check "template: chat_template.jinja comes first" pro-model template named in.jsonl
check_err "template: it is that file's" 'the date: 2024-07-26'

# ---- what cannot be rendered is 78, and says the way out

cp -r policy odd
jq --arg t "line
{% include 'other' %}" '.chat_template = $t' tok/tokenizer_config.json >odd/tokenizer_config.json
check_exit 78 "score: an unsupported template" pro-score --policy odd in.jsonl
check_err "score: file, line, construct and --template" 'odd/tokenizer_config.json: chat_template: .*line 2.*include.*--template'
check_exit 78 "augment: an unsupported template" pro-augment --model odd in.jsonl
check_exit 78 "train: an unsupported template" pro-train --model odd --out x in.jsonl
check "score: --template is the way out" pro-score --policy odd --template chatml in.jsonl
check "info: the folder is described all the same" pro-model info odd
check_out "info: why not" '^template_chosen .*line 2'

# ---- what a record tells its template

model tooled lm "{% for t in tools or [] %}{{ '<|im_start|>tool\\n' + t['name'] + '<|im_end|>\\n' }}{% endfor %}$chatml{% if add_generation_prompt and enable_thinking is false %}no thoughts{% endif %}" &&
	jq '.extra_special_tokens = {image_token: "<|endoftext|>"} | .chat_template += "{{ image_token }}"' tooled/tokenizer_config.json >c.json &&
	mv c.json tooled/tokenizer_config.json
cat >told.jsonl <<'EOF'
{"id":"tools","prompt":[{"role":"user","content":"Hi"}],"responses":[{"text":"Y","reward":1},{"text":"N","reward":0}],"tools":"[{\"name\":\"search\"}]"}
{"id":"kwargs","prompt":[{"role":"user","content":"Hi"}],"responses":[{"text":"Y","reward":1},{"text":"N","reward":0}],"chat_template_kwargs":{"enable_thinking":false}}
{"id":"neither","prompt":[{"role":"user","content":"Hi"}],"responses":[{"text":"Y","reward":1},{"text":"N","reward":0}],"tools":[],"chat_template_kwargs":{}}
{"id":"bad","prompt":[{"role":"user","content":"Hi"}],"responses":[{"text":"Y","reward":1},{"text":"N","reward":0}],"tools":"search the web"}
EOF
check "told: tools and chat_template_kwargs" pro-model template --json --rejects rejects tooled told.jsonl
adds_up "told: counts"
jq -se 'map(.prompt.text) | . as $t | ($t[2] | startswith("<|im_start|>user")) and $t[0] == "<|im_start|>tool\nsearch<|im_end|>\n" + $t[2] and
	$t[1] != $t[2] and ($t[1] | contains("no thoughts<|endoftext|>")) and ($t[2] | contains("no thoughts") | not)' "$T/out" >/dev/null
status "told: they are rendered, and named tokens too" $?
holds "told: what is no list of tools is rejected" \
	"$(jq -r .reason rejects)" = "refused by the template: tools: not a list of JSON schemas"
check "told: pro-score" pro-score --policy tooled told.jsonl
jq -se 'map(.responses[0].logprob) | length == 3 and .[0] != .[2] and .[1] != .[2]' "$T/out" >/dev/null
status "told: other prompts, other scores" $?

# ---- refusals are rejected with their reason

check "score: a refused conversation" pro-score --policy strict --rejects rejects bad.jsonl in.jsonl
adds_up "score: counts"
holds "score: the reason is listed" "$(jq -r .reason rejects)" = "refused by the template: Roles must alternate"
check "augment: a refused conversation" pro-augment --model strict --max-tokens 2 --rejects rejects bad.jsonl in.jsonl
holds "augment: the reason is listed" "$(jq -r .reason rejects)" = "refused by the template: Roles must alternate"
check "train: a refused conversation" pro-train --model strict --out t0 --max-steps 1 --rejects rejects bad.jsonl in.jsonl
holds "train: the reason is listed" "$(jq -r .reason rejects)" = "refused by the template: Roles must alternate"
rm -rf t0

# ---- dates

check "date: the default" pro-score --policy dated in.jsonl
check_err "date: it is said" 'asks for the date: 2024-07-26 \(--date\)'
cp "$T/out" july
holds "date: it is stored beside the score" "$(jq -r .scored_by.logprob.date july | sort -u)" = 2024-07-26
check "date: another" pro-score --policy dated --date 2026-01-15 in.jsonl
differ "date: another date, other scores" july "$T/out"
check_exit 64 "date: no day" pro-score --policy dated --date 2026-02-30 in.jsonl
check_exit 64 "date: a template that does not ask" pro-score --policy policy --date 2026-02-03 in.jsonl
check_err "date: that is said" 'does not ask for the date'
pro-augment -q --model dated --greedy --max-tokens 2 --resume aug.jsonl in.jsonl &&
	[ "$(jq -r '.responses[2].generated.date' aug.jsonl | sort -u)" = 2024-07-26 ]
status "date: a sample's" $?
check_exit 78 "date: --resume with another" pro-augment --model dated --greedy --max-tokens 2 --date 2026-01-15 --resume aug.jsonl in.jsonl
run pro-train --model dated --out dt --date 2026-01-15 --max-steps 2 --save-steps 1 --keep-checkpoints in.jsonl
check "date: a trained model keeps its own" pro-score --policy dt in.jsonl
check_err "date: the stored one" 'stored in pro.json.*asks for the date: 2026-01-15'

# ---- a trained folder renders as it was trained

check "train: with a file" pro-train --model plain --template own.jinja --out filed --max-steps 1 in.jsonl
same "train: others find the template" own.jinja filed/chat_template.jinja
pro-model template -q --json filed in.jsonl >stored.out
check "train: by pro.json" pro-model template filed in.jsonl
check_err "train: that is where it is from" 'template own \(stored in pro.json\)'
mv filed/pro.json pro.json && pro-model template -q --json filed in.jsonl >own.out
same "train: and without it the same" stored.out own.out
check "train: with the model's own" pro-train --model policy --out own --max-steps 1 in.jsonl
holds "train: nothing is added then" ! -e own/chat_template.jinja

# ---- where scores are read

check "score-at: the last token under a chat template" pro-score --reward rm in.jsonl
check_err "score-at: it is said" 'scores are read at the last token that it writes \(--score-at\)'
cp "$T/out" last
holds "score-at: and stored" "$(jq -r .scored_by.reward.score_at last | sort -u)" = last
check "score-at: end-of-turn" pro-score --reward rm --score-at end-of-turn in.jsonl
check_err "score-at: the other is said too" 'at the end of the turn'
cp "$T/out" turn
jq -se '.[0].responses[0].reward != .[2].responses[0].reward and .[1].responses[0].reward == .[3].responses[0].reward' \
	last turn >/dev/null
status "score-at: another score, but where the response did not end" $?
check "score-at: a built-in template has its end" pro-score --reward rm --template chatml in.jsonl
jq -se 'map(.responses[0].reward) | .[0] == .[2] and .[1] == .[3]' turn "$T/out" >/dev/null
status "score-at: the same token" $?
check "score-at: rm" pro-train --model policy --method rm --out r1 --max-steps 1 in.jsonl
check "score-at: rm elsewhere" pro-train --model policy --method rm --score-at end-of-turn --out r2 --max-steps 1 in.jsonl
run pro-score --reward r2 in.jsonl
check_err "score-at: it travels in pro.json" 'stored in pro.json.*at the end of the turn'
run pro-score --reward r1 in.jsonl
check_err "score-at: auto too" 'stored in pro.json.*at the last token'
check "score-at: pro-rerank" pro-rerank --reward rm --score-at end-of-turn in.jsonl
check_err "score-at: pro-rerank says it" 'at the end of the turn'
check "score-at: pro-train --validate-reward" pro-train --model policy --out v --max-steps 1 --validate in.jsonl \
	--validate-reward rm --score-at end-of-turn --eval-max-tokens 2 in.jsonl
check_err "score-at: the validation says it" 'validation on 2 records.*at the end of the turn'
check_exit 64 "score-at: nothing is scored" pro-train --model policy --out w --score-at last in.jsonl
check_exit 64 "score-at: a policy has no score" pro-score --policy policy --score-at last in.jsonl
model strict.rm reward "$alternating" && cat bad.jsonl in.jsonl >mixed.jsonl
check "validate: refused prompts are dropped" pro-train --model policy --out v2 --max-steps 1 --validate mixed.jsonl \
	--validate-reward strict.rm --eval-max-tokens 2 in.jsonl
check_err "validate: and counted" 'validation on 2 records, 1 dropped'
jq -c '.responses[].source = "s"' mixed.jsonl >systems.jsonl
check "eval: a refused conversation" pro-eval --hypothesis s --reward strict.rm --rejects rejects systems.jsonl
holds "eval: the reason is listed" "$(jq -r .reason rejects)" = "refused by the template: Roles must alternate"
check_err "eval: where scores are read" 'at the last token that it writes'

# ---- pro-bootstrap passes them on

check "bootstrap: --dry-run" pro-bootstrap --dry-run --model dated --reward rm --out boot --parts 1 --date 2026-01-15 \
	--score-at end-of-turn in.jsonl
check_out "bootstrap: the date to the policy" 'pro-augment .*--date 2026-01-15'
check_out "bootstrap: and to training" 'pro-train .*--date 2026-01-15'
check_out "bootstrap: the place of scores to the reward model" 'pro-rerank .*--score-at end-of-turn'
! grep 'pro-train' "$T/out" | grep -q -e '--score-at'
status "bootstrap: and not to a training without one" $?
finish
