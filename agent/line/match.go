package line

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"traveler.example/agent"
)

// Record is what a replica has of an item: one entry of its history, as far as a
// light can claim it.
type Record struct {
	Word    string // of the light that claims such a record
	Station string
	Time    time.Time
	Status  string // Sealed or Confirmed, and by how many witnesses
}

// Records returns the entries of a history that count and that a light can
// claim.
func Records(history []agent.EntryLine) []Record {
	var out []Record
	for _, e := range history {
		if word := claimOf(e); word != "" && (e.Confirmed || strings.HasPrefix(e.Status, "Sealed") || strings.HasPrefix(e.Status, "Confirmed")) {
			out = append(out, Record{Word: word, Station: e.Station, Time: time.UnixMilli(e.Time), Status: e.Status})
		}
	}
	slices.SortStableFunc(out, func(a, b Record) int { return a.Time.Compare(b.Time) })
	return out
}

// claimOf is the word of the light that tells of an entry.
func claimOf(e agent.EntryLine) string {
	switch e.Kind {
	case "intake":
		return TakenIn
	case "report":
		if strings.Contains(e.What, " failed") {
			return SetAside
		}
		return Completed
	case "verdict":
		ruling, _, _ := strings.Cut(e.What, " ")
		switch ruling {
		case "accept":
			return Accepted
		case "return":
			return Returned
		case "set-aside":
			return SetAside
		}
	}
	return ""
}

// clockSlack is how much later than its light a record may say it was made: both
// come from one clock, read twice, and records of one gateway never have the
// same time.
const clockSlack = time.Second

// Unrecorded returns the lights that claim a record which records do not have.
// Lights and records are of one item; station is the id of a light's station.
//
// Every claim needs a record of its own, made before the light; but ACCEPTED may
// be repeated (after a restart, or a scan too soon): as long as it is the
// station's last word on the item, its record stands for each repetition.
func Unrecorded(lights []Light, records []Record, station func(gateway string) string) []Light {
	lights = slices.Clone(lights)
	slices.SortStableFunc(lights, func(a, b Light) int { return a.At.Compare(b.At) })
	used := make([]bool, len(records))
	var lost []Light
	last := map[string]string{} // by station: the word that was last found
	for _, l := range lights {
		if !l.Claims() {
			continue
		}
		at := station(l.Gateway)
		if i := claimed(records, used, l, at); i >= 0 {
			used[i] = true
		} else if l.Word != Accepted || last[at] != Accepted {
			lost = append(lost, l)
			continue
		}
		last[at] = l.Word
	}
	return lost
}

// claimed returns the index of the earliest record that is not used and that l can
// mean; -1: none. used may be nil.
func claimed(records []Record, used []bool, l Light, station string) int {
	for i, r := range records {
		if (used == nil || !used[i]) && r.Word == l.Word && r.Station == station && cmp.Compare(r.Time.UnixMilli(), l.Shown.Add(clockSlack).UnixMilli()) <= 0 {
			return i
		}
	}
	return -1
}
