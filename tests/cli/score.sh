#!/bin/bash
# shellcheck disable=SC2120,SC2119,SC2181
# pro-score from end to end with toy models.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
toy_model m lm 1 && toy_model rm reward 2 && toy_model rm2 reward 3 || { fail "toy models"; finish; }
{
	toy_records 30
	echo '{"id":"none","prompt":"no responses here","responses":[],"x":{"y":[1,2.5,null]}}'
	echo '{"id":"long","prompt":"'"$(printf 'a very long prompt %.0s' {1..20})"'","responses":[{"text":"one"},{"text":"two"},{"text":""}]}'
	echo '{"id":"longer","prompt":"short","responses":[{"text":"one"},{"text":"'"$(printf 'a very long answer %.0s' {1..20})"'"}]}'
} >in.jsonl
N=33
reward() { pro-score -q --threads 1 --reward rm "$@"; }
policy() { pro-score -q --threads 1 --policy m "$@"; }

pro-score --threads 1 --policy m --count-joint in.jsonl 2>err | cmp -s - <(policy in.jsonl) &&
	grep -q "0 of 65 responses would have other ids" err
status "--count-joint: bytes do not merge; the records are the same" $?

for how in reward policy; do
	$how in.jsonl >$how.jsonl && [ "$(wc -l <$how.jsonl)" -eq $N ]
	status "$how: all records" $?
	for b in 1 3 8; do
		$how --batch-records $b in.jsonl | cmp -s - $how.jsonl
		status "$how: the same bits with --batch-records $b" $?
	done
	$how <in.jsonl | cmp -s - $how.jsonl
	status "$how: FILE is <FILE" $?
	gzip -c in.jsonl >in.gz
	$how in.gz | cmp -s - $how.jsonl
	status "$how: gzip" $?
	head -n 11 in.jsonl | $how >a && tail -n +12 in.jsonl | $how | cat a - | cmp -s - $how.jsonl
	status "$how: shards" $?
	$how --threads 2 in.jsonl >two.jsonl
	jq -n --slurpfile a two.jsonl --slurpfile b $how.jsonl '
		[[$a, $b] | map([.[].responses[] | .reward // .mean_logprob // 0]) | transpose[] | .[0] - .[1] | fabs] |
		if max <= 1e-6 and length > 60 then 0 else 1 end' | grep -qx 0
	status "$how: two threads agree to 1e-6" $?
	sed -n 31p $how.jsonl | cmp -s - <(sed -n 31p in.jsonl)
	status "$how: a record without responses is as it was" $?
	jq -c '.responses = []' in.jsonl >none.jsonl
	exits "$how: no record with a response" 65 "nothing was done: no record written has a response" $how none.jsonl
	same "$how: they go on all the same" none.jsonl out.exits
	jq -c 'del(.scored_by, .responses[].reward, .responses[].logprob, .responses[].mean_logprob, .responses[].tokens)' $how.jsonl |
		cmp -s - <(jq -c . in.jsonl)
	status "$how: everything else is as it was" $?
	$how --rejects rej in.jsonl >/dev/null && [ "$(jq -r .id rej | tr '\n' ' ')" = "long longer " ] && jq -e '.reason | test("^cut")' rej >/dev/null
	status "$how: cuts are listed" $?
	$how --on-overlong drop --rejects rej in.jsonl | wc -l | grep -qx $((N - 2)) && [ "$(wc -l <rej)" -eq 2 ]
	status "$how: --on-overlong drop: in = out + rejected" $?
	exits "$how: --on-overlong error" 65 "in.jsonl:32: " $how --on-overlong error in.jsonl
	$how /dev/null | cmp -s - /dev/null
	status "$how: empty input" $?
	exits "$how: --expect" 65 "$N records read, --expect 3" $how --expect 3 in.jsonl
	{ head -n 3 in.jsonl; echo '{"id":"x","prompt":3}'; tail -n 3 in.jsonl; } >broken.jsonl
	$how broken.jsonl >out 2>err
	[ $? -eq 65 ] && [ "$(wc -l <out)" -eq 3 ] && grep -q 'broken.jsonl:4: ' err
	status "$how: what came before a broken line is written" $?
	if [ -w /dev/full ]; then
		$how in.jsonl >/dev/full 2>err
		[ $? -eq 74 ] && grep -q 'No space' err
		status "$how: a full disk" $?
	fi
done

jq -s 'if all(.[] | select(.id != "none"); .scored_by.reward.model == "rm" and (.scored_by.reward.hash | length == 12)) and
	all(.[].responses[]; .reward | type == "number") then 0 else 1 end' reward.jsonl | grep -qx 0
status "every response has a reward, every record says whose" $?
jq -s 'if all(.[].responses[]; .tokens >= 1 and ((.mean_logprob * .tokens - .logprob) | fabs) < 1e-9) or
	all(.[].responses[] | select(.tokens == 0); .mean_logprob == null and .logprob == 0) then 0 else 1 end' policy.jsonl | grep -qx 0
status "mean_logprob is logprob / tokens" $?
# a byte a token, the template's space, and eos where the response ended
jq -s 'if all(.[] | select(.id | startswith("r")).responses[];
	.tokens == (.text | utf8bytelength) + 1 + (if .finish_reason == "length" then 0 else 1 end)) then 0 else 1 end' policy.jsonl | grep -qx 0
status "tokens: the response's, with eos where it ended" $?

pro-score -q --reward rm --as RM_train in.jsonl | pro-score -q --reward rm2 --as RM_eval | pro-score -q --policy m --as ref >sbs.jsonl
jq -s 'if all(.[] | select(.id != "none"); (.scored_by | keys) == ["RM_eval", "RM_train", "ref_logprob"]) and
	all(.[].responses[]; has("RM_train") and has("RM_eval") and has("ref_mean_logprob") and (has("reward") | not))
	then 0 else 1 end' sbs.jsonl | grep -qx 0
status "several models side by side" $?
jq -c '[.responses[].RM_train]' sbs.jsonl | cmp -s - <(jq -c '[.responses[].reward]' reward.jsonl)
status "--as changes the name only" $?
jq -c '.responses[].raw_reward = 1' reward.jsonl | reward | cmp -s - reward.jsonl
status "a new reward drops what --keep-top kept of the old" $?

# tensors: one frame a record, the ids and log-probabilities of the policy
jq -c '.responses[].reward = 0.5' in.jsonl | policy --tensors --rejects rej >t.bin
[ "$(grep -ac '"__metadata__"' t.bin)" -ge 1 ] && [ "$(grep -ao '"__metadata__"' t.bin | wc -l)" -eq $N ] && [ "$(jq -r .id rej | sort -u | tr '\n' ' ')" = "long longer none " ]
status "--tensors: a frame a record and an end" $?
policy --tensors --batch-records 1 in.jsonl | cmp -s - <(policy --tensors in.jsonl)
status "--tensors: the same bytes in any batch" $?

toy_records 8 | jq -c '.responses[0].reward = 1.5 | .responses[1].reward = 0.25' >train.jsonl
policy --tensors train.jsonl >train.bin
for i in train.jsonl train.bin; do
	pro-train -q --threads 1 --model m --out "out.$i" --method pro --max-steps 2 "$i" >log 2>err || cat err
done
cmp -s out.train.jsonl/model.safetensors out.train.bin/model.safetensors
status "--tensors trains the same model as the records" $?
policy --template plain in.jsonl | jq -se '[.[].responses[] | select(.tokens == 0)] |
	length > 0 and all(.mean_logprob == null and .logprob == 0)' >/dev/null
status "a response without tokens has no mean" $?
jq -c '.prompt = ""' in.jsonl | head -n 3 >noprompt.jsonl
policy --template plain --rejects rej noprompt.jsonl | cmp -s - /dev/null && [ "$(jq -r .reason rej | sort -u)" = "the prompt has no tokens" ]
status "nothing to condition on is rejected" $?

exits "neither --reward nor --policy" 64 "one of --reward and --policy" pro-score in.jsonl
exits "--tensors with --reward" 64 "tensors" pro-score --reward rm --tensors in.jsonl
exits "a policy is no reward model" 78 "m" pro-score --reward m in.jsonl
exits "a reward model is no policy" 78 "rm" pro-score --policy rm in.jsonl
exits "a length above the model's" 78 "max-length 9999" reward --max-length 9999 in.jsonl
exits "a prompt limit without room" 78 "max-prompt-length 64" policy --max-length 64 --max-prompt-length 64 in.jsonl
exits "a bad number" 64 "max-length" reward --max-length 0x10 in.jsonl
cp -r rm nan
size=$(wc -c <nan/model.safetensors)
{ head -c $((size - 64)) rm/model.safetensors; head -c 64 /dev/zero | tr '\0' '\377'; } >nan/model.safetensors
exits "a score that is not finite is named" 70 "in.jsonl:1: record 'r1', responses\[0\].reward: nan is not finite" \
	pro-score --threads 1 --reward nan in.jsonl

# golden/stories260K-pro.jsonl: mean log-likelihoods of an independent implementation
golden=$shared/golden/stories260K-pro.jsonl
if [ -f "$golden" ]; then
	pro-import -q --format pro "$shared/data/pro-hh/sampled_dev.json" | head -n 16 |
		pro-rerank -q | pro-score -q --policy "$shared/models/stories260K" --template hh >g.jsonl
	jq -n --slurpfile g "$golden" --slurpfile s g.jsonl '
		[range(16) as $i | [$g[$i].mean_logp, [$s[$i].responses[].mean_logprob]] | transpose[]] |
		if (map(.[0] - .[1] | fabs) | max) <= 1e-4 and length == 32 and
		[$g[:16][].response_tokens[]] == [$s[].responses[].tokens] then 0 else 1 end' | grep -qx 0
	status "stories260K: golden mean log-likelihoods within 1e-4" $?
else
	skip "stories260K: golden mean log-likelihoods within 1e-4" "no ../shared"
fi
toy_records 6 >six.jsonl
matrix pro-score --threads 1 --reward rm six.jsonl
matrix pro-score --threads 1 --policy m --tensors six.jsonl
finish
