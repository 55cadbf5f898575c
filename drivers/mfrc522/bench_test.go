package mfrc522

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
)

// benched runs a reader on a paced chip in real time until it is up.
func benched(b *testing.B, set func(*emulate.MFRC522, *Config)) (*emulate.MFRC522, chan drivers.Event) {
	device := emulate.NewMFRC522(emulate.MFRC522Config{})
	cfg := Config{
		Name: "bench", Open: device.Open,
		Presence: drivers.PresenceConfig{Misses: 1, Absence: time.Millisecond}, // departures are not what is measured
	}
	if set != nil {
		set(device, &cfg)
	}
	reader, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	events := make(chan drivers.Event, 16)
	var wait sync.WaitGroup
	b.Cleanup(func() { cancel(); wait.Wait() })
	wait.Go(func() { reader.Run(ctx, events) })
	for e := range events {
		if e.Kind == drivers.Up {
			break
		}
	}
	return device, events
}

// BenchmarkArrival measures the time from a tag's entry into the field to the
// Arrived event, with the pace of the air and tags that take 5 ms to wake.
func BenchmarkArrival(b *testing.B) {
	for name, set := range map[string]func(*emulate.MFRC522, *Config){
		"polled": nil,
		"irq":    func(d *emulate.MFRC522, c *Config) { c.IRQ = d.IRQ() },
	} {
		b.Run(name, func(b *testing.B) {
			device, events := benched(b, set)
			var took, after []time.Duration
			for i := 0; b.Loop(); i++ {
				time.Sleep(time.Duration(i*7%25) * time.Millisecond) // at every phase of the interval
				started := time.Now()
				if err := device.Present("04A1B2C3D4E580", ""); err != nil {
					b.Fatal(err)
				}
				for e := range events {
					if e.Kind == drivers.Arrived {
						took, after = append(took, time.Since(started)), append(after, time.Since(e.At))
						break
					}
				}
				device.Remove("")
				for e := range events {
					if e.Kind == drivers.Departed {
						break
					}
				}
			}
			report(b, took, "p50-ms", 0.50)
			report(b, took, "p99-ms", 0.99)
			report(b, after, "answer-to-event-p99-ms", 0.99)
			b.ReportMetric(0, "ns/op") // of no meaning here: it counts the departures
		})
	}
}

func report(b *testing.B, took []time.Duration, unit string, q float64) {
	slices.Sort(took)
	b.ReportMetric(float64(took[int(q*float64(len(took)-1))])/float64(time.Millisecond), unit)
}

// BenchmarkIdle measures what share of one core a reader takes, with an empty
// field and with a tag that lies there. The emulated chip is part of it, and the
// system calls of a real bus are not; transfers/s tells how many these would be.
// %asleep is what a process takes on this machine that does nothing but sleep and
// wake as often.
func BenchmarkIdle(b *testing.B) {
	for _, tags := range [][]string{nil, {"04A1B2C3D4E580"}} {
		b.Run([]string{"empty", "tag"}[len(tags)], func(b *testing.B) {
			asleep := processorTime(b)
			started := time.Now()
			for time.Since(started) < time.Second {
				time.Sleep(DefaultInterval - 2*time.Millisecond)
				time.Sleep(2 * time.Millisecond)
			}
			base := 100 * float64(processorTime(b)-asleep) / float64(time.Since(started))
			device, events := benched(b, nil)
			for _, id := range tags {
				device.Present(id, "")
				<-events
			}
			for b.Loop() {
				cpu, transfers, started := processorTime(b), device.Transfers(), time.Now()
				time.Sleep(500 * time.Millisecond)
				elapsed := time.Since(started)
				b.ReportMetric(100*float64(processorTime(b)-cpu)/float64(elapsed), "%core")
				b.ReportMetric(float64(device.Transfers()-transfers)/elapsed.Seconds(), "transfers/s")
			}
			b.ReportMetric(base, "%asleep")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// idleSession is a session whose chip finds an empty field at once.
func idleSession() *session {
	s := &session{
		Reader: &Reader{cfg: Config{Name: "bench"}}, presence: drivers.NewPresence("bench", drivers.PresenceConfig{}),
		pace: time.NewTimer(time.Hour),
	}
	s.chip = *scripted(status{stIrq: irqTimer}, nil)
	return s
}

// BenchmarkIdlePoll measures what one look at an empty field costs the host,
// the system calls of the port apart.
func BenchmarkIdlePoll(b *testing.B) {
	s := idleSession()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.look(b.Context()); err != nil || s.field.n != 0 {
			b.Fatal(err)
		}
	}
}

func TestIdlePollAllocatesNothing(t *testing.T) {
	s, ctx := idleSession(), t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if err := s.look(ctx); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a look at an empty field", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := s.mend(ctx, s.ping()); err != nil && len(s.Events) > 8 {
			t.Fatal(err)
		}
	}); n > 30 {
		t.Errorf("%v allocations for a check that fails", n)
	}
}
