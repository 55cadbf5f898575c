package line

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent"
)

func TestParseLight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line, aspect, word, tag string
		next, missing           []string
	}{
		{line: "2026-03-01T06:00:00.125Z IDLE", aspect: "IDLE"},
		{
			line:   "2026-03-01T06:00:00.125Z GREEN TAKEN IN H-04A000 tag 04A000: Take it to DRILLING (drill).",
			aspect: "GREEN", word: TakenIn, tag: "04A000", next: []string{"DRILLING"},
		},
		{
			line:   "2026-03-01T06:00:00.125Z GREEN COMPLETED H-1 tag 04A0: Take it to PACKING (pack) or PAINT (paint).",
			aspect: "GREEN", word: Completed, tag: "04A0", next: []string{"PACKING", "PAINT"},
		},
		{
			line:   "2026-03-01T06:00:00.125Z GREEN COMPLETED H-1 tag 04A0: Finished: hand it on.",
			aspect: "GREEN", word: Completed, tag: "04A0",
		},
		{
			line: "2026-03-01T06:00:00.125Z GREEN ACCEPTED H-1 tag 04A0: Scan each part. " +
				"(Do assemble: scan 1 × pin, 2 × cover, then this item again.)",
			aspect: "GREEN", word: Accepted, tag: "04A0", missing: []string{"pin", "cover", "cover"},
		},
		{
			line: "2026-03-01T06:00:00.125Z AMBER WAIT H-1 tag 04A0: expected all 2 parts of assemble; " +
				"found 1 of them, missing: 1 × cover; Scan the missing parts, then this item again.",
			aspect: "AMBER", word: Wait, tag: "04A0", missing: []string{"cover"},
		},
		{
			line: "2026-03-01T06:00:00.125Z RED RETURN (weight) H-1 tag 04A0: expected 1200 to 1300 g; found 1178.5 g; " +
				"Take it back to ASSEMBLY for rework of fasten.",
			aspect: "RED", word: Returned, tag: "04A0", next: []string{"ASSEMBLY"},
		},
		{
			line:   "2026-03-01T06:00:00.125Z RED WRONG STATION H-1 tag 04A0: expected the item at DOCK; found it was scanned at PACKING; Take it to DOCK (ship).",
			aspect: "RED", word: WrongStation, tag: "04A0", next: []string{"DOCK"},
		},
		{line: "2026-03-01T06:00:00.125Z AMBER LIFT AND SCAN AGAIN tag 8B01: it lay on the reader when it came up", aspect: "AMBER", word: LiftAgain, tag: "8B01"},
		{line: "2026-03-01T06:00:00.125Z FAULT READER DOWN bench: it was unplugged; plug it in again", aspect: "FAULT", word: ReaderDown},
		{line: "2026-03-01T06:00:00.125Z IDLE READER BACK bench", aspect: "IDLE", word: ReaderBack},
		{line: "2026-03-01T06:00:00.125Z GREEN ON SHIFT operator", aspect: "GREEN", word: OnShift},
		{line: "2026-03-01T06:00:00.125Z IDLE CAN BE SCANNED NOW tag 8B01", aspect: "IDLE", word: ScanNow, tag: "8B01"},
	} {
		l, err := ParseLight(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if l.Aspect != c.aspect || l.Word != c.word || l.Tag != c.tag || !slices.Equal(l.Next(), c.next) || !slices.Equal(l.Missing(), c.missing) {
			t.Errorf("%s:\n got %q %q tag %q next %q missing %q", c.line, l.Aspect, l.Word, l.Tag, l.Next(), l.Missing())
		}
	}
	for _, bad := range []string{"", "yesterday GREEN ACCEPTED", "2026-03-01T06:00:00.125Z", "2026-03-01T06:00:00.125Z BLUE ACCEPTED", "2026-03-01T06:00:00.125Z GREEN HURRAH", "2026-03-01T06:00:00.125Z GREEN ACCEPTEDLY"} {
		if _, err := ParseLight(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestReaders(t *testing.T) {
	t.Parallel()
	mixed, err := ParseReaders(" pn532,ascii125, m100")
	if err != nil || len(mixed) != 3 {
		t.Fatalf("%v, %v", mixed, err)
	}
	for _, bad := range []string{"", "pn532,,m100", "barcode"} {
		if got, err := ParseReaders(bad); !errors.Is(err, ErrPlan) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	c := Config{Readers: mixed}
	for gateway, want := range map[string]string{Intake: ReaderPN532, Drilling1: ReaderASCII125, Drilling2: ReaderM100, Assembly: ReaderPN532, Dock: ReaderPN532} {
		if got := c.readerAt(gateway); got != want || (Config{}).readerAt(gateway) != ReaderPN532 {
			t.Errorf("%s has %s, want %s", gateway, got, want)
		}
	}
	if err := c.checkReaders(plan{faults: []string{FaultIsland}}); !errors.Is(err, ErrPlan) {
		t.Errorf("an island whose readers cannot write: %v", err)
	}
	if err := errors.Join(c.checkReaders(plan{}), Config{}.checkReaders(plan{faults: []string{FaultIsland}})); err != nil {
		t.Error(err)
	}
	for kind, size := range map[string]int{ReaderPN532: 14, ReaderASCII125: 10, ReaderM100: 24} {
		seen := map[string]bool{}
		for _, tag := range []string{"04A00000000001", "04A00000000002", "04C00000000001", Badge} {
			got := tagFor(kind, tag)
			if len(got) != size || seen[got] {
				t.Errorf("%s for %s: %s", kind, tag, got)
			}
			seen[got] = true
			if prefix := prefixFor(kind, tag[:3]); tag != Badge && !strings.HasPrefix(got, prefix) {
				t.Errorf("%s for %s: %s does not begin with %s", kind, tag, got, prefix)
			}
		}
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"GREEN ACCEPTED H-1 tag 04A0: Do drill, then scan again.":                                          true,
		"RED SET ASIDE (weight) H-1 tag 04A0: Put the item aside for quality.":                             true,
		"RED WRONG STATION H-1 tag 04A0: Take it to DOCK (ship).":                                          false,
		"GREEN ACCEPTED H-1 tag 04A0: Do drill, then scan again.; CAN BE SCANNED NOW P-2":                  false,
		"GREEN ACCEPTED ON TAG H-1 tag 04A0: the note of drilling-1 on the tag; Do pack, then scan again.": true,
		"GREEN COMPLETED H-1 tag 04A0: Take it to DOCK (ship); no note is on the tag: the tag is full":     false,
		"IDLE":                      false,
		"IDLE CAN BE SCANNED NOW P": false,
	} {
		l, err := ParseLight("2026-03-01T06:00:00.125Z " + text)
		if err != nil || l.Claims() != want {
			t.Errorf("%s: claims %v, %v", text, l.Claims(), err)
		}
	}
}

func FuzzParseLight(f *testing.F) {
	f.Add("2026-03-01T06:00:00.125Z GREEN ACCEPTED H-1 tag 04A0: scan 1 × pin, then this item again.")
	f.Add("2026-03-01T06:00:00.125Z RED RETURN (weight) H-1 tag 04A0: Take it back to A or B (x) or  or C.")
	f.Add("2026-03-01T06:00:00.125Z IDLE")
	f.Add("2026-03-01T06:00:00.125Z AMBER WAIT tag : 99999999999999999999 × x,")
	f.Fuzz(func(t *testing.T, line string) {
		l, err := ParseLight(line)
		if err != nil {
			return
		}
		if l.Word != "" && !strings.HasPrefix(l.Text, l.Word) {
			t.Errorf("word %q is not what %q begins with", l.Word, l.Text)
		}
		for _, place := range l.Next() {
			if place == "" || strings.ContainsRune(place, ' ') {
				t.Errorf("place %q", place)
			}
		}
		if len(l.Missing()) > 64*(len(line)+1) {
			t.Errorf("%d parts out of %d bytes", len(l.Missing()), len(line))
		}
		react(l, Places()[0], l.Next(), 0)
	})
}

func TestReact(t *testing.T) {
	t.Parallel()
	places := Places()
	drill, dock := places[1], places[6]
	for _, c := range []struct {
		name   string
		text   string // aspect and text of the light
		here   Place
		told   []string
		doubts int
		want   move
	}{
		{"taken in", "GREEN TAKEN IN H-1 tag 04A0: Take it to DRILLING (drill).", places[0], nil, 0, carry},
		{"accepted", "GREEN ACCEPTED H-1 tag 04A0: Do drill, then scan again.", drill, []string{"DRILLING"}, 0, work},
		{"accepted, parts missing", "GREEN ACCEPTED H-1 tag 04A0: scan 1 × pin, then this item again.", drill, nil, 0, fetch},
		{"completed", "GREEN COMPLETED H-1 tag 04A0: Take it to PACKING (pack).", drill, nil, 0, carry},
		{"finished", "GREEN COMPLETED H-1 tag 04A0: Finished: hand it on.", dock, nil, 0, done},
		{"returned", "RED RETURN (weight) H-1 tag 04A0: Take it back to ASSEMBLY for rework of fasten.", drill, nil, 0, carry},
		{"set aside", "RED SET ASIDE (weight) H-1 tag 04A0: Put the item aside for quality.", drill, nil, 0, aside},
		{"astray", "RED WRONG STATION H-1 tag 04A0: Take it to DRILLING (drill).", dock, []string{"DRILLING"}, 0, carry},
		{"news under way", "RED WRONG STATION H-1 tag 04A0: Take it to DRILLING (drill).", dock, []string{"DOCK"}, 9, shelve},
		{"unknown yet", "RED UNKNOWN TAG tag 04A0: found a tag; Take the item to intake.", drill, []string{"DRILLING"}, 0, shelve},
		{"light was lost", "AMBER ALREADY DONE H-1 tag 04A0: Take it to PACKING (pack).", drill, nil, 0, carry},
		{"sent here, done here: doubted", "AMBER ALREADY DONE H-1 tag 04A0: Take it to PACKING (pack).", drill, []string{"DRILLING"}, 0, shelve},
		{"sent here, done here: believed", "AMBER ALREADY DONE H-1 tag 04A0: Take it to PACKING (pack).", drill, []string{"DRILLING"}, mostDoubts, carry},
		{"ended", "AMBER ALREADY DONE H-1 tag 04A0: found it is finished; Hand it on as finished; its tag is free.", dock, nil, 0, done},
		{"starting", "AMBER WAIT tag 04A0: this gateway is starting; leave the tag on the reader", drill, nil, 0, stay},
		{"report missing", "AMBER WAIT H-1 tag 04A0: Leave the item here until this station hears from the others, then scan again.", drill, nil, 0, stay},
		{"badge", "AMBER WAIT H-1 tag 04A0: found nobody; Tap your badge, then scan the item again.", drill, nil, 0, tap},
		{"parts", "AMBER WAIT H-1 tag 04A0: missing: 1 × pin; Scan the missing parts, then this item again.", drill, nil, 0, fetch},
		{"unstable", "AMBER WAIT (weight) H-1 tag 04A0: the weight is not stable: let the scale come to rest and scan again", drill, nil, 0, again},
		{"held", "AMBER WAIT H-1 tag 04A0: Hold the item until quality has ruled.", drill, nil, 0, aside},
		{"wrong part", "AMBER WAIT P-1 tag 8B01: Put this part back and scan one that is missing.", drill, nil, 0, shelve},
		{"conflict", "RED IN CONFLICT H-1 tag 04A0: Hold the item and call quality.", drill, nil, 0, aside},
		{"lift", "AMBER LIFT AND SCAN AGAIN tag 04A0: it lay on the reader", drill, nil, 0, again},
		{"reader down", "FAULT READER DOWN bench: it was unplugged", drill, nil, 0, again},
		{"can be scanned now", "AMBER CAN BE SCANNED NOW H-1 tag 04A0: lift it and scan it again", drill, nil, 0, again},
		{"disk full", "FAULT FAULT tag 04A0: nothing was recorded: the disk is full", drill, nil, 0, again},
	} {
		l, err := ParseLight("2026-03-01T06:00:00.125Z " + c.text)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := react(l, c.here, c.told, c.doubts); got != c.want {
			t.Errorf("%s: move %d, want %d", c.name, got, c.want)
		}
	}
}

func TestUnrecorded(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	light := func(second int, gateway, word string) Light {
		at := start.Add(time.Duration(second) * time.Second)
		return Light{Gateway: gateway, Word: word, Tag: "04A0", At: at, Shown: at}
	}
	record := func(second int, station, word string) Record {
		return Record{Word: word, Station: station, Time: start.Add(time.Duration(second) * time.Second)}
	}
	station := func(gateway string) string { return stationOf(Places(), gateway) }
	for _, c := range []struct {
		name    string
		lights  []Light
		records []Record
		lost    int
	}{
		{"nothing", nil, nil, 0},
		{
			"all there",
			[]Light{light(1, Intake, TakenIn), light(3, Drilling1, Accepted), light(5, Drilling1, Completed)},
			[]Record{record(1, "INTAKE", TakenIn), record(3, "DRILL-1", Accepted), record(5, "DRILL-1", Completed)},
			0,
		},
		{"no record", []Light{light(1, Intake, TakenIn)}, nil, 1},
		{"of another station", []Light{light(1, Drilling1, Accepted)}, []Record{record(1, "DRILL-2", Accepted)}, 1},
		{"of another word", []Light{light(1, Drilling1, Completed)}, []Record{record(1, "DRILL-1", Accepted)}, 1},
		{"made later", []Light{light(1, Drilling1, Completed)}, []Record{record(9, "DRILL-1", Completed)}, 1},
		{"light lost", []Light{light(5, Drilling1, Completed)}, []Record{record(3, "DRILL-1", Accepted), record(5, "DRILL-1", Completed)}, 0},
		{"acceptance repeated", []Light{light(1, Drilling1, Accepted), light(2, Drilling1, Accepted)}, []Record{record(1, "DRILL-1", Accepted)}, 0},
		{
			"acceptance after completion",
			[]Light{light(1, Drilling1, Accepted), light(2, Drilling1, Completed), light(3, Drilling1, Accepted)},
			[]Record{record(1, "DRILL-1", Accepted), record(2, "DRILL-1", Completed)},
			1,
		},
		{"completion twice", []Light{light(1, Drilling1, Completed), light(2, Drilling1, Completed)}, []Record{record(1, "DRILL-1", Completed)}, 1},
		{"no claim", []Light{light(1, Dock, WrongStation), light(2, Dock, Wait)}, nil, 0},
	} {
		if lost := Unrecorded(c.lights, c.records, station); len(lost) != c.lost {
			t.Errorf("%s: %d lights are lost, want %d: %v", c.name, len(lost), c.lost, lost)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	entry := func(kind, what, status string) agent.EntryLine {
		return agent.EntryLine{Kind: kind, What: what, Station: "S", Status: status}
	}
	got := Records([]agent.EntryLine{
		entry("intake", "taken in as H-1 (housing)", "Confirmed 7 of 7"),
		entry("verdict", "accept for drill", "Sealed (1 of 7)"),
		entry("report", "drill done; next ASSEMBLY", "Confirmed 4 of 7"),
		entry("report", "ship failed: broken", "Confirmed 4 of 7"),
		entry("verdict", "return for inspect: too light", "Confirmed 4 of 7"),
		entry("verdict", "set-aside for inspect: too light", "Confirmed 4 of 7"),
		entry("verdict", "accept for drill", "Void"),
		entry("report", "drill done", "Waiting"),
		entry("misroute", "scanned at DOCK, where it does not belong", "Confirmed 7 of 7"),
		entry("disposition", "scrap: too light", "Confirmed 7 of 7"),
	})
	var words []string
	for _, r := range got {
		words = append(words, r.Word)
	}
	if want := []string{TakenIn, Accepted, Completed, SetAside, Returned, SetAside}; !slices.Equal(words, want) {
		t.Errorf("records %q, want %q", words, want)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for _, items := range []int{-3, 0, 3, 7, mostItems + perAssembly} {
		if _, err := makePlan(items, 1, nil); !errors.Is(err, ErrPlan) {
			t.Errorf("%d items: %v", items, err)
		}
	}
	for _, items := range []int{leastItems, 12, 60, 300} {
		for seed := range uint64(20) {
			p, err := makePlan(items, seed, AllFaults())
			if err != nil {
				t.Fatal(err)
			}
			again, _ := makePlan(items, seed, AllFaults())
			tags, products, astray := map[string]bool{}, map[string]int{}, 0
			for n, piece := range p.pieces {
				tags[piece.tag] = true
				products[piece.product]++
				if piece.tag != again.pieces[n].tag || (piece.detour == nil) != (again.pieces[n].detour == nil) {
					t.Fatalf("seed %d: two plans differ at piece %d", seed, n)
				}
				if d := piece.detour; d != nil {
					astray++
					if slices.Contains(at(Places(), d.sentTo), d.to) || d.to == Intake {
						t.Errorf("a detour to %s instead of %s is none", d.to, d.sentTo)
					}
				}
				if n := len(piece.tag); n != 8 && n != 14 {
					t.Errorf("tag %s of a %s has %d digits", piece.tag, piece.product, n)
				}
			}
			if len(tags) != items || products["housing"]*3 != items || products["pin"]*3 != items || products["cover"]*3 != items {
				t.Errorf("%d items: %d tags, products %v", items, len(tags), products)
			}
			if want := max(2, items/10); astray != want || p.expectedFaults()[FaultWrongStation] != want {
				t.Errorf("%d items: %d go astray, want %d", items, astray, want)
			}
		}
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	got, err := ParseFaults(" kill,broker-loss,,kill")
	if err != nil || !slices.Equal(got, []string{FaultKill, FaultBrokerLoss}) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := ParseFaults("kill,flood"); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), `"flood"`) {
		t.Errorf("an unknown fault: %v", err)
	}
}

func TestShortcomings(t *testing.T) {
	t.Parallel()
	p, err := makePlan(12, 1, []string{FaultKill, FaultBadWeight})
	if err != nil {
		t.Fatal(err)
	}
	whole := func() Report {
		r := Report{
			Stations: 7, Items: 12, Finished: 3, Scrapped: 1, Consumed: 8, Blocks: 90, Confirmed: 90, ReplicasEqual: true,
			Verify: verifyOK, LightsSeen: 80,
		}
		for kind, n := range p.expectedFaults() {
			for range n {
				r.Faults = append(r.Faults, FaultReport{Kind: kind, Station: "S", Effect: "seen"})
			}
		}
		return r
	}
	for _, c := range []struct {
		name  string
		spoil func(*Report)
		want  string // in the reason; empty: the run is whole
	}{
		{"whole", func(*Report) {}, ""},
		{"an item is lost", func(r *Report) { r.Finished-- }, "12 items went in, 11 came to an end"},
		{"unconfirmed", func(r *Report) { r.Confirmed-- }, "89 of 90 blocks"},
		{"replicas differ", func(r *Report) { r.ReplicasEqual = false }, "replicas differ"},
		{"verify found a fault", func(r *Report) { r.Verify = "packing: broken" }, "verify: packing: broken"},
		{"a light without record", func(r *Report) { r.LightsMissing = 2 }, "2 lights"},
		{"no light", func(r *Report) { r.LightsSeen = 0 }, "no light"},
		{"a fault without effect", func(r *Report) { r.Faults[0].Effect = "" }, "had no effect"},
		{"a fault too few", func(r *Report) { r.Faults = r.Faults[1:] }, "were planned"},
	} {
		r := whole()
		c.spoil(&r)
		why := shortcomings(r, p)
		if (c.want == "") != (len(why) == 0) || !strings.Contains(strings.Join(why, "\n"), c.want) {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	var ds []time.Duration
	for n := 100; n >= 1; n-- {
		ds = append(ds, time.Duration(n)*time.Millisecond+40*time.Microsecond)
	}
	if q := quantiles(ds); q != (Quantiles{P50: 50, P99: 99}) {
		t.Errorf("%+v", q)
	}
	if q := quantiles(nil); q != (Quantiles{}) {
		t.Errorf("of nothing: %+v", q)
	}
	if q := quantiles([]time.Duration{1260 * time.Microsecond}); q != (Quantiles{P50: 1.3, P99: 1.3}) {
		t.Errorf("of one: %+v", q)
	}
}
