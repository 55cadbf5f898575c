package m100

import (
	"encoding/hex"
	"time"

	"traveler.example/drivers"
)

// ErrNeighbour: a tag is read that belongs to somebody else, as far as the
// [Filter] can tell. It is reported as a Fault once while the tag is about, and
// never as an arrival.
var ErrNeighbour = drivers.ErrNeighbour

// Filter tells the tags at this station from those of its neighbours, whom a
// UHF reader hears as well. The zero value lets every tag pass.
type Filter struct {
	// MinRSSI is the weakest answer, in dBm, by which a tag can arrive, such as
	// -60; 0 stands for no limit. A tag that has arrived may be 6 dB weaker, lest
	// a hand before the antenna look like a departure.
	MinRSSI int
	// MinReads is how often a tag has to be read at MinRSSI or above within Dwell
	// to arrive; 0 means 1.
	MinReads int
	// Dwell is that time; 0 means DefaultDwell.
	Dwell time.Duration
}

// DefaultDwell is the Dwell that 0 stands for.
const DefaultDwell = 500 * time.Millisecond

const (
	slack          = 6                // dB below MinRSSI that a tag in session may fall
	neighbourAfter = 2 * time.Second  // a tag that has not arrived for so long is a neighbour's; one on its way is not
	forgetAfter    = 60 * time.Second // a tag that was not heard for so long is new
	maxHeard       = 512              // tags that are remembered at once
)

// verdict is what a read of a tag is worth.
type verdict uint8

const (
	ignored   verdict = iota // not counted
	counted                  // the tag is at this station
	neighbour                // ignored, and to be told
	refused                  // its identifier is none
)

// heard is what is remembered of one tag.
type heard struct {
	tag      drivers.Tag
	bad      error     // why its identifier was refused
	first    time.Time // since when it is heard without being at this station
	last     time.Time
	window   time.Time // when the dwell under way began
	good     int       // reads in it that were strong enough
	look     uint64    // the last look that found it
	admitted bool
	told     bool
}

// sieve applies a Filter. A read of a tag that it knows costs no allocation.
type sieve struct {
	Filter
	tags       map[string]*heard // by raw EPC
	neighbours int               // how many have been told
}

func newSieve(f Filter) *sieve {
	f.MinReads = max(f.MinReads, 1)
	if f.Dwell <= 0 {
		f.Dwell = DefaultDwell
	}
	return &sieve{Filter: f, tags: map[string]*heard{}}
}

// read judges one read.
func (s *sieve) read(at time.Time, epc []byte, rssi int) (*heard, verdict) {
	h := s.tags[string(epc)]
	if h == nil || at.Sub(h.last) > forgetAfter {
		if h = s.meet(at, epc); h == nil {
			return nil, ignored
		}
	}
	h.last = at
	switch {
	case h.bad != nil:
		return h, refused
	case h.admitted:
		if s.MinRSSI != 0 && rssi < s.MinRSSI-slack {
			return h, ignored
		}
		return h, counted
	case s.MinRSSI == 0 || rssi >= s.MinRSSI:
		if at.Sub(h.window) > s.Dwell {
			h.window, h.good = at, 0
		}
		if h.good++; h.good >= s.MinReads {
			h.admitted = true
			return h, counted
		}
	}
	if !h.told && at.Sub(h.first) >= neighbourAfter {
		h.told = true
		s.neighbours++
		return h, neighbour
	}
	return h, ignored
}

// meet begins to remember a tag. It returns nil if there are too many.
func (s *sieve) meet(at time.Time, epc []byte) *heard {
	if len(s.tags) >= maxHeard {
		for key, h := range s.tags {
			if !h.admitted && at.Sub(h.last) > neighbourAfter {
				delete(s.tags, key)
			}
		}
		if len(s.tags) >= maxHeard {
			return nil
		}
	}
	h := &heard{first: at, window: at}
	h.tag, h.bad = drivers.NewTag(epc, drivers.Gen2)
	s.tags[string(epc)] = h
	return h
}

// departed says that a tag left: to arrive again it has to pass again.
func (s *sieve) departed(at time.Time, t drivers.Tag) {
	epc, _ := hex.DecodeString(t.ID) // identifiers are hex
	if h := s.tags[string(epc)]; h != nil {
		h.admitted, h.good, h.first, h.window = false, 0, at, at
	}
}
