package line

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Report is what a run came to, in the shape that programs read.
type Report struct {
	Stations      int           `json:"stations"`
	Items         int           `json:"items"` // intakes, parts included
	Finished      int64         `json:"finished"`
	Scrapped      int64         `json:"scrapped"`
	Consumed      int64         `json:"consumed"`
	Returned      int           `json:"returned"`  // verdicts that sent an item back
	Misrouted     int           `json:"misrouted"` // records of items scanned where they do not belong
	Blocks        int64         `json:"blocks"`
	Transactions  int64         `json:"transactions"`
	Confirmed     int64         `json:"confirmed_blocks"`
	ReplicasEqual bool          `json:"replicas_equal"`
	Verify        string        `json:"verify"` // ok, or the first fault
	LightsSeen    int           `json:"lights_seen"`
	LightsMissing int           `json:"lights_missing_elsewhere"`
	OnTags        int           `json:"accepted_on_tags"` // by the note on the tag, while the report was away
	OnTagsMatched int           `json:"on_tags_matched"`  // of these: the report came, and is as the note said
	ScanToLight   Quantiles     `json:"scan_to_light_ms"`
	Faults        []FaultReport `json:"faults"`
}

// Quantiles of durations, in ms to a tenth.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// FaultReport is a fault and what was seen of it.
type FaultReport struct {
	Kind    string `json:"kind"`
	Time    string `json:"time"` // RFC 3339, UTC
	Station string `json:"station"`
	Effect  string `json:"effect"`
}

// quantiles are by nearest rank.
func quantiles(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	ds = slices.Sorted(slices.Values(ds))
	rank := func(p float64) float64 {
		d := ds[max(0, int(math.Ceil(p*float64(len(ds))))-1)]
		return math.Round(float64(d.Microseconds())/100) / 10
	}
	return Quantiles{P50: rank(0.50), P99: rank(0.99)}
}

// reportFaults puts records into the report's shape, in order of time.
func reportFaults(records []*FaultRecord) []FaultReport {
	out := make([]FaultReport, len(records))
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b *FaultRecord) int { return a.Time.Compare(b.Time) })
	for i, r := range records {
		out[i] = FaultReport{Kind: r.Kind, Time: r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), Station: r.Station, Effect: r.Effect()}
	}
	return out
}

// expectedFaults is how many of each kind a run must show.
func (p plan) expectedFaults() map[string]int {
	n := map[string]int{FaultBadWeight: 2, FaultBrokerLoss: 1, FaultReaderUnplug: unplugs, FaultKill: kills, FaultIsland: 1}
	for _, piece := range p.pieces {
		if piece.detour != nil {
			n[FaultWrongStation]++
		}
	}
	for kind := range n {
		if !p.has(kind) {
			delete(n, kind)
		}
	}
	return n
}

// shortcomings lists everything that makes a run a failure.
func shortcomings(r Report, p plan) []string {
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	if int64(r.Items) != r.Finished+r.Scrapped+r.Consumed {
		say("%d items went in, %d came to an end (%d finished, %d scrapped, %d consumed)",
			r.Items, r.Finished+r.Scrapped+r.Consumed, r.Finished, r.Scrapped, r.Consumed)
	}
	if r.Confirmed != r.Blocks {
		say("%d of %d blocks are confirmed on every replica", r.Confirmed, r.Blocks)
	}
	if !r.ReplicasEqual {
		say("the replicas differ")
	}
	if r.Verify != verifyOK {
		say("verify: %s", r.Verify)
	}
	if r.LightsMissing > 0 {
		say("%d lights claimed a record that no other gateway has", r.LightsMissing)
	}
	if r.OnTagsMatched != r.OnTags {
		say("%d items went on by the notes on their tags, %d of them match their reports", r.OnTags, r.OnTagsMatched)
	}
	if r.LightsSeen == 0 {
		say("no light was seen")
	}
	shown := map[string]int{}
	for _, f := range r.Faults {
		if f.Effect == "" {
			say("fault %s at %s had no effect", f.Kind, f.Station)
			continue
		}
		shown[f.Kind]++
	}
	expected := p.expectedFaults()
	for _, kind := range AllFaults() {
		if shown[kind] < expected[kind] {
			say("fault %s showed %d times, %d were planned", kind, shown[kind], expected[kind])
		}
	}
	return why
}

const verifyOK = "ok"
