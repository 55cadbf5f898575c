package llrp

import (
	"time"

	"traveler.example/drivers"
)

// verdict is what a filter makes of one read.
type verdict uint8

const (
	seenHere    verdict = iota + 1
	seenWeak            // below the limit of the antenna: a neighbour's
	seenEarly           // not often or not long enough yet
	seenCrowded         // there is no room to judge it; said once until there is
)

// filter tells tags that are here from those that are only near. It is pure,
// and its memory is bounded.
type filter struct {
	minReads   int
	dwell      time.Duration
	absence    time.Duration
	weakest    map[uint16]int8
	room       int
	crowded    bool
	candidates map[drivers.Tag]*candidate
}

// candidate is a tag that was seen lately, arrived or not.
type candidate struct {
	first, last time.Time
	reads       int
	here        bool
}

func newFilter(cfg ReaderConfig) filter {
	f := filter{
		minReads: max(1, cfg.MinReads), dwell: cfg.Dwell, absence: cfg.Absence,
		weakest: map[uint16]int8{},
		// As many again as can be in session, for those that are not yet.
		room: 2 * cfg.Crowd, candidates: map[drivers.Tag]*candidate{},
	}
	for _, a := range cfg.Antennas {
		f.weakest[a.ID] = a.Weakest
	}
	return f
}

func (f *filter) judge(seen fact) verdict {
	if weakest := f.weakest[seen.antenna]; weakest != 0 && seen.rssi < weakest {
		return seenWeak
	}
	c := f.candidates[seen.tag]
	if c == nil {
		if len(f.candidates) >= f.room {
			if f.crowded {
				return seenEarly
			}
			f.crowded = true
			return seenCrowded
		}
		c = &candidate{first: seen.at}
		f.candidates[seen.tag] = c
	}
	c.last = seen.at
	if c.here {
		return seenHere
	}
	c.reads += seen.reads
	c.here = c.reads >= f.minReads && seen.at.Sub(c.first) >= f.dwell
	if !c.here {
		return seenEarly
	}
	return seenHere
}

// forget drops the tags that were not seen for as long as a session lasts
// without.
func (f *filter) forget(at time.Time) {
	for tag, c := range f.candidates {
		if at.Sub(c.last) >= f.absence {
			delete(f.candidates, tag)
			f.crowded = false
		}
	}
}

// resume says that nothing could be seen until now: tags that are here stay,
// and the others begin anew.
func (f *filter) resume(at time.Time) {
	for tag, c := range f.candidates {
		if !c.here {
			delete(f.candidates, tag)
			continue
		}
		c.last = at
	}
}
