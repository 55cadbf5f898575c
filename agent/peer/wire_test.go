package peer

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"traveler.example/ledger"
)

func keys(n int) (out []ledger.KeyID) {
	for i := range n {
		out = append(out, ledger.KeyID{1, byte(i >> 8), byte(i)})
	}
	return out
}

func hashes(n int) (out []ledger.Hash) {
	for i := range n {
		out = append(out, ledger.Hash{1, byte(i >> 8), byte(i)})
	}
	return out
}

func ranges(n int) (out []Range) {
	for _, k := range keys(n) {
		out = append(out, Range{Author: k, From: ledger.MaxHeight - 1, To: ledger.MaxHeight})
	}
	return out
}

func refs(n int) (out []ledger.Ref) {
	for i, k := range keys(n) {
		out = append(out, ledger.Ref{Author: k, Height: ledger.MaxHeight, Hash: ledger.Hash{1, byte(i)}})
	}
	return out
}

// TestFullest: the largest message of each kind fits its limit, and comes back as
// it was.
func TestFullest(t *testing.T) {
	ask := Ask{From: ledger.KeyID{1}, Ranges: ranges(MaxRanges), Hashes: hashes(MaxHashes), Have: hashes(MaxHave), Authors: keys(MaxAuthors), All: 1, After: ledger.KeyID{1}}
	if got, err := ParseAsk(ask.Encode()); err != nil || !reflect.DeepEqual(got, ask) {
		t.Errorf("ask of %d bytes: %v", len(ask.Encode()), err)
	}
	give := Give{From: ledger.KeyID{1}, Statements: [][]byte{{1}}, Blocks: [][]byte{make([]byte, 32<<10)}, Told: keys(MaxAuthors), Heads: refs(ledger.MaxFrontierHeads), Next: ledger.KeyID{2}, More: 1}
	if got, err := ParseGive(give.Encode()); err != nil || !reflect.DeepEqual(got, give) {
		t.Errorf("give of %d bytes: %v", len(give.Encode()), err)
	}
	heads := Heads{From: ledger.KeyID{1}, Heads: hashes(ledger.MaxRosterHeads)}
	if got, err := ParseHeads(heads.Encode()); err != nil || !reflect.DeepEqual(got, heads) {
		t.Errorf("roster heads of %d bytes: %v", len(heads.Encode()), err)
	}
	status := Status{Height: ledger.MaxHeight, Head: ledger.Hash{1}, Roster: hashes(ledger.MaxRosterHeads), Held: Digest{1}, Offline: 1}
	if got, err := ParseStatus(status.Encode()); err != nil || !reflect.DeepEqual(got, status) {
		t.Errorf("status of %d bytes: %v", len(status.Encode()), err)
	}
}

// TestRefusedMessages: every rule has a message that breaks it and nothing else.
func TestRefusedMessages(t *testing.T) {
	from := ledger.KeyID{1}
	ask := func(a Ask) []byte { return a.Encode() }
	give := func(g Give) []byte { return g.Encode() }
	status := func(s Status) []byte { return s.Encode() }
	parseAsk := func(raw []byte) error { _, err := ParseAsk(raw); return err }
	parseGive := func(raw []byte) error { _, err := ParseGive(raw); return err }
	parseHeads := func(raw []byte) error { _, err := ParseHeads(raw); return err }
	parseStatus := func(raw []byte) error { _, err := ParseStatus(raw); return err }
	swapped := keys(2)
	slices.Reverse(swapped)
	for _, tc := range []struct {
		name  string
		parse func([]byte) error
		raw   []byte
		want  string
	}{
		{"empty", parseAsk, nil, "ask: cannot be read"},
		{"trailing byte", parseAsk, append(ask(Ask{From: from}), 0), "ask: cannot be read"},
		{"oversized", parseAsk, make([]byte, MaxAsk+1), "is larger than 16384 bytes"},
		{"unknown field", parseAsk, []byte("\xa1\x18\x63\x01"), "ask: cannot be read"},
		{"null for bytes", parseAsk, []byte("\xa1\x01\xf6"), "canonical"},
		{"short key", parseAsk, []byte("\xa1\x01\x41\x01"), "canonical"},
		{"non-minimal number", parseStatus, []byte("\xa1\x05\x18\x01"), "canonical"},
		{"zero that is left out", parseStatus, []byte("\xa1\x05\x00"), "canonical"},
		{"nobody asks", parseAsk, ask(Ask{}), "ask.from: is missing"},
		{"too many ranges", parseAsk, ask(Ask{From: from, Ranges: ranges(65)}), "ask.ranges = 65"},
		{"too many hashes", parseAsk, ask(Ask{From: from, Hashes: hashes(129)}), "ask.hashes = 129"},
		{"too many held", parseAsk, ask(Ask{From: from, Have: hashes(49)}), "ask.have = 49"},
		{"too many authors", parseAsk, ask(Ask{From: from, Authors: keys(65)}), "ask.authors = 65"},
		{"range from 0", parseAsk, ask(Ask{From: from, Ranges: []Range{{Author: from, To: 1}}}), "ask.ranges[0] = 0…1"},
		{"range back", parseAsk, ask(Ask{From: from, Ranges: []Range{{Author: from, From: 2, To: 1}}}), "ask.ranges[0] = 2…1"},
		{"range too high", parseAsk, ask(Ask{From: from, Ranges: []Range{{Author: from, From: 1, To: ledger.MaxHeight + 1}}}), "ask.ranges[0]"},
		{"range of nobody", parseAsk, ask(Ask{From: from, Ranges: []Range{{From: 1, To: 1}}}), "names no author"},
		{"ranges of one author", parseAsk, ask(Ask{From: from, Ranges: append(ranges(1), ranges(1)...)}), "ask.ranges[1]"},
		{"a hash twice", parseAsk, ask(Ask{From: from, Hashes: []ledger.Hash{{1}, {1}}}), "ask.hashes[1]"},
		{"a zero hash", parseAsk, ask(Ask{From: from, Have: []ledger.Hash{{}}}), "ask.have[0]"},
		{"authors out of order", parseAsk, ask(Ask{From: from, Authors: swapped}), "ask.authors[1]"},
		{"all twice", parseAsk, ask(Ask{From: from, All: 2}), "ask.all = 2"},
		{"after without all", parseAsk, ask(Ask{From: from, After: from}), "ask.after"},
		{"nobody gives", parseGive, give(Give{}), "give.from: is missing"},
		{"oversized", parseGive, make([]byte, MaxGive+1), "is larger than 73728 bytes"},
		{"too many heads", parseGive, give(Give{From: from, Heads: refs(513)}), "give.heads = 513"},
		{"too many told", parseGive, give(Give{From: from, Told: keys(65)}), "give.told = 65"},
		{"told out of order", parseGive, give(Give{From: from, Told: swapped}), "give.told[1]"},
		{"head of genesis", parseGive, give(Give{From: from, Heads: []ledger.Ref{{Author: from, Hash: ledger.Hash{1}}}}), "give.heads[0].height"},
		{"head without hash", parseGive, give(Give{From: from, Heads: []ledger.Ref{{Author: from, Height: 1}}}), "give.heads[0]"},
		{"heads twice", parseGive, give(Give{From: from, Heads: append(refs(1), refs(1)...)}), "give.heads[1]"},
		{"more and more", parseGive, give(Give{From: from, More: 2}), "give.more = 2"},
		{"blocks within blocks", parseGive, []byte("\xa1\x03\x81\x81\x81\x81\x81\x81\x80"), "cannot be read"},
		{"roster of nobody", parseHeads, Heads{}.Encode(), "roster heads.from: is missing"},
		{"too many roster heads", parseHeads, Heads{From: from, Heads: hashes(17)}.Encode(), "roster heads.heads = 17"},
		{"oversized", parseStatus, make([]byte, MaxHint+1), "is larger than 1024 bytes"},
		{"height without head", parseStatus, status(Status{Height: 1}), "status.head"},
		{"head without height", parseStatus, status(Status{Head: ledger.Hash{1}}), "status.head"},
		{"too high", parseStatus, status(Status{Height: ledger.MaxHeight + 1, Head: ledger.Hash{1}}), "status.height"},
		{"too many roster heads", parseStatus, status(Status{Roster: hashes(17)}), "status.roster = 17"},
		{"very offline", parseStatus, status(Status{Offline: 2}), "status.offline = 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.parse(tc.raw)
			var field *ledger.FieldError
			if !errors.As(err, &field) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want a field error with %q", err, tc.want)
			}
		})
	}
}

// TestTopics: topics are spelled as the specification says and read back.
func TestTopics(t *testing.T) {
	net, id := ledger.NetworkID{0xab, 1, 2, 3, 4, 5, 6, 7, 8}, ledger.KeyID{0xcd}
	topics := TopicsOf(net)
	for topic, want := range map[string]string{
		topics.Block(id):    "traveler/1/ab01020304050607/block/cd000000000000000000000000000000",
		topics.Frontier(id): "traveler/1/ab01020304050607/frontier/cd000000000000000000000000000000",
		topics.Ask(id):      "traveler/1/ab01020304050607/ask/cd000000000000000000000000000000",
		topics.Give(id):     "traveler/1/ab01020304050607/give/cd000000000000000000000000000000",
		topics.Evidence(id): "traveler/1/ab01020304050607/evidence/cd000000000000000000000000000000",
		topics.Status(id):   "traveler/1/ab01020304050607/status/cd000000000000000000000000000000",
		topics.Roster():     "traveler/1/ab01020304050607/roster",
	} {
		if topic != want {
			t.Errorf("%s, want %s", topic, want)
		}
		channel, got, cause := topics.parse(topic)
		if cause != 0 || !strings.Contains(topic, "/"+channel) || (got != id && channel != channelRoster) {
			t.Errorf("%s reads as %s of %s, cause %v", topic, channel, got, cause)
		}
		if !slices.ContainsFunc(topics.Filters(id), func(f string) bool { return matches(f, topic) }) {
			t.Errorf("%s is not subscribed to", topic)
		}
	}
}
