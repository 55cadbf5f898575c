package m100

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"traveler.example/drivers"
)

// script is a port on which the same bytes come again and again.
type script struct{ answer []byte }

func (s *script) Write(b []byte) (int, error)     { return len(b), nil }
func (s *script) SetReadDeadline(time.Time) error { return nil }
func (s *script) Close() error                    { return nil }
func (s *script) Read(b []byte) (int, error)      { return copy(b, s.answer), nil }

const (
	nothing = "bb01ff000115167e"
	aTag    = "bb02220011c9340030751feb705c5904e3d50d703a76ef7e"
)

func scripted(t testing.TB, stream string) *session {
	answer, err := hex.DecodeString(stream)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{Reader: &Reader{}, presence: drivers.NewPresence("r", drivers.PresenceConfig{}), sieve: newSieve(Filter{MinRSSI: -60})}
	s.link = newLink(&script{answer})
	s.notice = s.hear
	s.nextCheck = time.Now().Add(time.Hour)
	s.presence.Settled(nil)
	return s
}

// BenchmarkIdlePoll measures what one round in an empty field costs the host,
// the system calls of the port apart; BenchmarkRead one read of a tag.
func BenchmarkIdlePoll(b *testing.B) { benchmarkStep(b, nothing) }
func BenchmarkRead(b *testing.B)     { benchmarkStep(b, aTag) }

func benchmarkStep(b *testing.B, stream string) {
	s := scripted(b, stream)
	defer s.link.close()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.step(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPollAllocatesNothing(t *testing.T) {
	for name, stream := range map[string]string{"empty field": nothing, "a tag that lies there": aTag, "many reads at once": aTag + aTag + nothing + aTag} {
		s := scripted(t, stream)
		ctx := t.Context()
		s.step(ctx) // the tag arrives
		if n := testing.AllocsPerRun(100, func() { s.step(ctx) }); n != 0 {
			t.Errorf("%s: %v allocations for a round", name, n)
		}
		s.link.close()
	}
}

// However many tags go by, as many are remembered as fit, and those at this
// station are never forgotten for the sake of others.
func TestSieveIsBounded(t *testing.T) {
	s, at := newSieve(Filter{MinRSSI: -60}), time.Now()
	mine := []byte{0x30, 0x34}
	s.read(at, mine, -50)
	for i := range 4 * maxHeard {
		at = at.Add(10 * time.Millisecond)
		s.read(at, fmt.Appendf(nil, "%06d", i), -70)
	}
	if len(s.tags) > maxHeard {
		t.Errorf("%d tags are remembered", len(s.tags))
	}
	if _, verdict := s.read(at, mine, -50); verdict != counted || !s.tags[string(mine)].admitted {
		t.Error("the tag at this station was forgotten")
	}
	if _, verdict := s.read(at, make([]byte, 12), -50); verdict != refused {
		t.Errorf("an EPC of zeroes: verdict %d", verdict)
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 112: "112th"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

// Whatever a module says while it polls or answers, the session neither panics
// nor remembers more than it may, and says of tags only what is possible.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{nothing, aTag, aTag + nothing + aTag, "bb01ff000120217e", "bb0222000580000000007e" + aTag} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := scripted(t, nothing)
		defer s.link.close()
		s.at = time.Now()
		for len(in) > 0 {
			n := min(len(in), 64)
			for _, frame := range s.parser.Feed(in[:n]) {
				s.at = s.at.Add(10 * time.Millisecond)
				s.hear(frame)
				if data, err := (&access{s, frame.Params}).own(frame.Params); err == nil && len(data) > len(frame.Params) {
					t.Fatalf("answer % X carries % X", frame.Params, data)
				}
			}
			in = in[n:]
		}
		for _, e := range s.Events {
			if e.Kind == drivers.Arrived && (len(e.Tag.ID) == 0 || len(e.Tag.ID) > 2*drivers.MaxTagID) {
				t.Fatalf("tag %q arrived", e.Tag.ID)
			}
		}
		if len(s.sieve.tags) > maxHeard {
			t.Fatalf("%d tags are remembered", len(s.sieve.tags))
		}
	})
}
