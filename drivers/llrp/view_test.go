package llrp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"traveler.example/drivers"
)

// script plays facts, one a line: milliseconds, and what is told. It answers
// with the events, in the same form.
func play(t *testing.T, cfg ReaderConfig, script string) string {
	t.Helper()
	start := time.Now()
	v := newView(cfg)
	var said []string
	for line := range strings.Lines(strings.TrimSpace(script)) {
		var ms, antenna, rssi, reads int
		var what string
		fmt.Sscan(line, &ms, &what, &antenna, &rssi, &reads)
		f := fact{at: start.Add(time.Duration(ms) * time.Millisecond), antenna: uint16(antenna), rssi: int8(rssi), reads: max(1, reads)}
		switch what {
		case "connected":
			f.kind = factConnected
		case "heard":
			f.kind = factHeard
		case "stalled":
			f.kind = factStalled
		case "lost":
			f.kind, f.err = factLost, errors.New("gone")
		default:
			f.kind, f.tag = factSeen, drivers.Tag{ID: what, Technology: drivers.Gen2}
		}
		for _, e := range v.take(f) {
			text := fmt.Sprintf("%d %v", e.At.Sub(start).Milliseconds(), e.Kind)
			if e.Tag.ID != "" {
				text += fmt.Sprintf(" %v×%d", e.Tag, e.Reads)
			}
			said = append(said, text)
		}
	}
	return strings.Join(said, ", ")
}

func TestView(t *testing.T) {
	one := []Antenna{{ID: 1, Weakest: -60}}
	for _, tt := range []struct {
		name   string
		cfg    ReaderConfig
		script string
		want   string
	}{
		{
			"what lies there is present, what comes arrives",
			ReaderConfig{Antennas: one},
			"0 connected\n10 A 1 -50\n600 A 1 -50\n1000 heard\n1010 A 1 -50\n1020 B 1 -50",
			"1000 up, 600 present A×2, 1020 arrived B×1",
		},
		{
			"time alone decides a departure",
			ReaderConfig{Antennas: one},
			"0 connected\n1000 heard\n1100 A 1 -50\n1200 heard\n1300 heard\n1400 heard\n1500 heard\n1599 heard\n1600 heard",
			"1000 up, 1100 arrived A×1, 1600 departed A×1",
		},
		{
			"a reader that is silent says nothing of its tags",
			ReaderConfig{Antennas: one},
			"0 connected\n1000 heard\n1100 A 1 -50\n9000 lost",
			"1000 up, 1100 arrived A×1, 9000 down",
		},
		{
			"departures wait for the end of an outage",
			ReaderConfig{Antennas: one},
			"0 connected\n1000 heard\n1100 A 1 -50\n1100 B 1 -50\n1200 lost\n1300 lost\n5000 connected\n5300 B 1 -50\n5600 C 1 -50\n5700 heard\n5750 B 1 -50\n6000 C 1 -50\n6000 heard",
			"1000 up, 1100 arrived A×1, 1100 arrived B×1, 1200 down, 6000 up, 6000 present C×2, 6000 departed A×1",
		},
		{
			"a loss while settling is the same outage",
			ReaderConfig{Antennas: one},
			"0 lost\n100 connected\n200 A 1 -50\n300 lost\n400 connected\n1000 A 1 -50\n1400 heard",
			"0 down, 1400 up, 1000 present A×2",
		},
		{
			"what is said before the inventory is ours counts for nothing",
			ReaderConfig{Antennas: one},
			"0 A 1 -50\n1 heard\n2 connected\n1002 heard\n1003 A 1 -50",
			"1002 up, 1003 arrived A×1",
		},
		{
			"a receiver that held everything up loses no tag",
			ReaderConfig{Antennas: one},
			"0 connected\n1000 heard\n1100 A 1 -50\n9000 stalled\n9001 heard\n9100 A 1 -50\n9400 heard",
			"1000 up, 1100 arrived A×1",
		},
		{
			"a weak tag is a neighbour's, told once",
			ReaderConfig{Antennas: append(one, Antenna{ID: 2})},
			"0 connected\n1000 heard\n1100 A 1 -61\n1101 A 1 -61\n1102 B 1 -61\n1103 A 1 -60\n1104 B 2 -80",
			"1000 up, 1100 fault, 1103 arrived A×1, 1104 arrived B×1",
		},
		{
			"minimum reads, of which one report can tell several",
			ReaderConfig{Antennas: one, MinReads: 4},
			"0 connected\n1000 heard\n1100 A 1 -50\n1110 A 1 -50 2\n1120 A 1 -50\n1130 B 1 -50 4",
			"1000 up, 1120 arrived A×1, 1130 arrived B×1",
		},
		{
			"reads long ago do not count",
			ReaderConfig{Antennas: one, MinReads: 2},
			"0 connected\n1000 heard\n1100 A 1 -50\n1600 heard\n1700 A 1 -50\n1800 A 1 -50",
			"1000 up, 1800 arrived A×1",
		},
		{
			"dwell, which settling waits for",
			ReaderConfig{Antennas: one, Dwell: 300 * time.Millisecond},
			"0 connected\n900 A 1 -50\n1000 heard\n1200 A 1 -50\n1300 heard\n1400 B 1 -50\n1600 B 1 -50\n1699 B 1 -50\n1700 B 1 -50\n1701 heard\n1702 heard",
			"1300 up, 1200 present A×1, 1700 arrived B×1, 1701 departed A×1",
		},
		{
			"a crowd is told once until there is room",
			ReaderConfig{Antennas: one, Crowd: 1},
			"0 connected\n1000 heard\n1100 A 1 -50\n1101 B 1 -50\n1102 C 1 -50\n1103 D 1 -50\n1104 C 1 -50",
			"1000 up, 1100 arrived A×1, 1101 fault, 1102 fault",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Name, tt.cfg.Absence = "gate", 500*time.Millisecond
			if tt.cfg.Crowd == 0 {
				tt.cfg.Crowd = 10
			}
			if got := play(t, tt.cfg, tt.script); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A tag that is read hundreds of times a second costs no memory.
func TestRepeatedReadsDoNotAllocate(t *testing.T) {
	v := newView(ReaderConfig{Name: "gate", Antennas: []Antenna{{ID: 1}}, Absence: time.Hour, Crowd: 10})
	at := time.Now()
	v.take(fact{kind: factConnected, at: at})
	at = at.Add(time.Minute)
	v.take(fact{kind: factHeard, at: at})
	seen := fact{kind: factSeen, at: at, tag: drivers.Tag{ID: "A"}, antenna: 1, reads: 1}
	v.take(seen)
	if n := testing.AllocsPerRun(1000, func() { v.take(seen); v.take(fact{kind: factHeard, at: at}) }); n != 0 {
		t.Errorf("%v allocations for a read, want none", n)
	}
}
