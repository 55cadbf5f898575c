package llrp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/llrp"
)

// running is a reader whose Run is under way.
type running struct {
	t      *testing.T
	reader *llrp.Reader
	events chan drivers.Event
	cancel context.CancelFunc
	ended  chan struct{}
}

func run(t *testing.T, r *llrp.Reader) *running {
	ctx, cancel := context.WithCancel(context.Background())
	x := &running{t, r, make(chan drivers.Event, 64), cancel, make(chan struct{})}
	go func() { defer close(x.ended); r.Run(ctx, x.events) }()
	t.Cleanup(x.stop)
	return x
}

func (x *running) stop() {
	x.cancel()
	<-x.ended
}

// expect waits for an event, and skips faults when it is none.
func (x *running) expect(k drivers.Kind, tag string) drivers.Event {
	x.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case e := <-x.events:
			if e.Kind == drivers.Fault && k != drivers.Fault {
				continue
			}
			if e.Kind != k || e.Tag.ID != tag || e.Reader != x.reader.Info().Name {
				x.t.Fatalf("%s: event %v %v (%v), want %v %s", x.reader.Info().Name, e.Kind, e.Tag, e.Err, k, tag)
			}
			return e
		case <-timeout:
			x.t.Fatalf("%s: no event, want %v %s", x.reader.Info().Name, k, tag)
		}
	}
}

func (x *running) quiet() {
	x.t.Helper()
	select {
	case e := <-x.events:
		x.t.Fatalf("%s: event %v %v (%v), want none", x.reader.Info().Name, e.Kind, e.Tag, e.Err)
	case <-time.After(2 * time.Second):
	}
}

// within runs a test in virtual time on an emulated device.
func within(t *testing.T, cfg emulate.LLRPConfig, test func(t *testing.T, device *emulate.LLRP, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewLLRP(cfg)
		test(t, device, newBench(t, device))
	})
}

func inAndOut() []llrp.ReaderConfig {
	return []llrp.ReaderConfig{
		{Name: "in", Absence: 400 * time.Millisecond, Antennas: []llrp.Antenna{{ID: 1}, {ID: 2}}},
		{Name: "out", Absence: 400 * time.Millisecond, Antennas: []llrp.Antenna{{ID: 4, Power: 2000}}},
	}
}

// One device is the reader of the way in and that of the way out.
func TestInAndOut(t *testing.T) {
	within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
		readers := newPortal(t, b.open, inAndOut()...).Readers()
		in := run(t, readers[0])
		in.expect(drivers.Up, "")
		must(t, device.Present(tagA, 1, -50, ""))
		in.expect(drivers.Arrived, tagA)
		must(t, device.Present(tagB, 3, -50, "")) // an antenna that is nobody's

		out := run(t, readers[1]) // later than the other, and on the same connection
		out.expect(drivers.Up, "")
		must(t, device.Present(tagA, 4, -50, ""))
		out.expect(drivers.Arrived, tagA)
		in.expect(drivers.Departed, tagA)
		in.quiet()
		out.quiet()

		in.stop() // the other one goes on
		must(t, device.Remove(tagA))
		out.expect(drivers.Departed, tagA)
		in = run(t, readers[0])
		in.expect(drivers.Up, "")

		must(t, device.Fault(emulate.FaultReset, true))
		in.expect(drivers.Down, "")
		out.expect(drivers.Down, "")
		in.expect(drivers.Up, "")
		out.expect(drivers.Up, "")
		if model := readers[0].Info().Model; model != "Impinj Speedway R420 5.14.0.240" {
			t.Errorf("model is %q", model)
		}
	})
}

// A receiver that is slow holds up the others, and nobody's tags depart by that.
func TestSlowReceiver(t *testing.T) {
	within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
		readers := newPortal(t, b.open, inAndOut()...).Readers()
		ctx, cancel := context.WithCancel(t.Context())
		unheard, ended := make(chan drivers.Event), make(chan struct{})
		go func() { defer close(ended); readers[0].Run(ctx, unheard) }()
		out := run(t, readers[1])
		<-unheard // Up
		out.expect(drivers.Up, "")
		must(t, device.Present(tagB, 4, -50, ""))
		out.expect(drivers.Arrived, tagB)
		must(t, device.Present(tagA, 1, -50, ""))
		time.Sleep(5 * time.Second)
		if e := <-unheard; e.Kind != drivers.Arrived {
			t.Errorf("%v, want the arrival", e.Kind)
		}
		out.quiet()
		cancel()
		<-ended
	})
}

// What is wrong with a device is an outage with its reason, and ends with it.
func TestOutages(t *testing.T) {
	for _, tt := range []struct {
		fault string
		is    error
		says  string
		lasts bool // until it is switched off
	}{
		{emulate.FaultGarbage, drivers.ErrProtocol, "begins no message of LLRP", true},
		{emulate.FaultGiant, drivers.ErrProtocol, "of 2147483647 bytes", false},
		{emulate.FaultReset, drivers.ErrUnplugged, "connection ended", false},
		{emulate.FaultPreempt, drivers.ErrProtocol, "ended the inventory by itself", false},
		{emulate.FaultSilence, drivers.ErrSilent, "no sign of life for 300ms", true},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
				r := run(t, newPortal(t, b.open, gate("gate")).Readers()[0])
				r.expect(drivers.Up, "")
				must(t, device.Present(tagA, 2, -50, ""))
				r.expect(drivers.Arrived, tagA)
				must(t, device.Fault(tt.fault, true))
				down(t, r, tt.is, tt.says)
				if tt.lasts {
					r.quiet()
					must(t, device.Fault(tt.fault, false))
				}
				r.expect(drivers.Up, "")
				r.quiet() // the tag is there still
			})
		})
	}
}

// A device that cannot be used says why, and is used once it can.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		fault string
		is    error
		says  string
	}{
		{emulate.FaultRefuse, drivers.ErrBusy, "another client is connected to the reader, which takes one at a time; close that program"},
		{emulate.FaultStatus, drivers.ErrProtocol, `status 401 ("antenna controller does not answer")`},
		{emulate.FaultSilence, drivers.ErrSilent, "is this the port of LLRP, usually 5084"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
				must(t, device.Fault(tt.fault, true))
				r := run(t, newPortal(t, b.open, gate("gate")).Readers()[0])
				down(t, r, tt.is, tt.says)
				r.quiet()
				must(t, device.Fault(tt.fault, false))
				r.expect(drivers.Up, "")
			})
		})
	}
	t.Run("no such antenna", func(t *testing.T) {
		within(t, emulate.LLRPConfig{}, func(t *testing.T, _ *emulate.LLRP, b *bench) {
			r := run(t, newPortal(t, b.open, llrp.ReaderConfig{Name: "gate", Antennas: []llrp.Antenna{{ID: 5}}}).Readers()[0])
			down(t, r, nil, `dock: Impinj Speedway R420 5.14.0.240: reader "gate": antenna 5: the reader has 4`)
		})
	})
	t.Run("two programs", func(t *testing.T) {
		within(t, emulate.LLRPConfig{}, func(t *testing.T, _ *emulate.LLRP, b *bench) {
			first := run(t, newPortal(t, b.open, gate("first")).Readers()[0])
			first.expect(drivers.Up, "")
			second := run(t, newPortal(t, b.open, gate("second")).Readers()[0])
			down(t, second, drivers.ErrBusy, "another client")
			first.stop()
			second.expect(drivers.Up, "")
		})
	})
}

// A reader that has not noticed yet that its last client went away is no trouble to
// tell of.
func TestTheLastClientIsNoticedLate(t *testing.T) {
	within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
		must(t, device.Fault(emulate.FaultRefuse, true))
		r := run(t, newPortal(t, b.open, gate("gate")).Readers()[0])
		time.Sleep(300 * time.Millisecond)
		must(t, device.Fault(emulate.FaultRefuse, false))
		r.expect(drivers.Up, "")
	})
}

func down(t *testing.T, r *running, is error, says string) {
	t.Helper()
	e := r.expect(drivers.Down, "")
	if is != nil && !errors.Is(e.Err, is) || !strings.Contains(e.Err.Error(), says) {
		t.Errorf("down because of %v\nwant %v …%s", e.Err, is, says)
	}
}

// What other programs left on the device is theirs, unless it is given up.
func TestForeignInventory(t *testing.T) {
	within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
		leave(t, b, "00b1 0047 00000007 00 00 00b2 0012 00b3 0005 00 00b6 0009 00 00000000"+
			"00b7 001e 0001 0001 00b8 0009 00 00000000 00ba 000d 0001 01 00de 0006 0001 00ed 000d 02 0001 00ee 0006 94c0")
		time.Sleep(time.Second) // the device notices
		r := run(t, newPortal(t, b.open, gate("gate")).Readers()[0])
		down(t, r, drivers.ErrBusy, "holds 1 inventories of other programs and has no room for more; delete them, or allow to take over")
		r.stop()
		time.Sleep(time.Second) // the device notices

		portal, err := llrp.New(llrp.Config{Name: "dock", Open: b.open, Takeover: true, Readers: inAndOut()})
		must(t, err)
		r = run(t, portal.Readers()[0])
		r.expect(drivers.Up, "")
	})
}

// leave adds an inventory as another program does, and goes.
func leave(t *testing.T, b *bench, rospec string) {
	t.Helper()
	port, err := b.open(t.Context())
	must(t, err)
	defer port.Close()
	body := unhex(t, rospec)
	_, err = port.Write(llrp.AppendMessage(nil, llrp.Message{Type: llrp.AddROSpec, ID: 1, Body: body}))
	must(t, err)
	var p llrp.Parser
	buf := make([]byte, 512)
	for {
		n, err := port.Read(buf)
		must(t, err)
		found, err := p.Feed(buf[:n])
		must(t, err)
		for _, m := range found {
			if m.Type == llrp.AddROSpecResponse {
				if m.Body[5] != 0 {
					t.Fatalf("the device refuses: % x %q", m.Body, m.Body)
				}
				return
			}
		}
	}
}

func TestAntennaUnplugged(t *testing.T) {
	within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
		must(t, device.Fault(emulate.FaultAntenna, true))
		readers := newPortal(t, b.open, inAndOut()...).Readers()
		in, out := run(t, readers[0]), run(t, readers[1])
		for range 2 {
			if e := in.expect(drivers.Fault, ""); !strings.Contains(e.Err.Error(), "antenna 1 is not connected") {
				t.Errorf("fault is %v", e.Err)
			}
			in.expect(drivers.Up, "")
			out.expect(drivers.Up, "")
			out.quiet()
			must(t, device.Fault(emulate.FaultAntenna, false))
			in.quiet()
			must(t, device.Fault(emulate.FaultAntenna, true))
			if e := in.expect(drivers.Fault, ""); !strings.Contains(e.Err.Error(), "antenna 1 is not connected") {
				t.Errorf("fault is %v", e.Err)
			}
			must(t, device.Fault(emulate.FaultReset, true))
			in.expect(drivers.Down, "")
			out.expect(drivers.Down, "")
		}
	})
}

// Reports that are asked for come as often as they are, with all that was seen.
func TestReportEvery(t *testing.T) {
	within(t, emulate.LLRPConfig{}, func(t *testing.T, device *emulate.LLRP, b *bench) {
		portal, err := llrp.New(llrp.Config{
			Name: "dock", Open: b.open, ReportEvery: 250 * time.Millisecond, Keepalive: time.Second,
			Readers: []llrp.ReaderConfig{{Name: "gate", Antennas: []llrp.Antenna{{ID: 1}}, MinReads: 20}},
		})
		must(t, err)
		r := run(t, portal.Readers()[0])
		r.expect(drivers.Up, "")
		must(t, device.Present(tagA, 1, -50, ""))
		started := time.Now()
		r.expect(drivers.Arrived, tagA)
		if took := time.Since(started); took < 200*time.Millisecond || took > 600*time.Millisecond {
			t.Errorf("it arrived after %v, want one or two reports", took)
		}
		must(t, device.Remove(""))
		r.expect(drivers.Departed, tagA)
	})
}

func TestConfig(t *testing.T) {
	open := func(context.Context) (drivers.Port, error) { return nil, errors.New("no") }
	one := func(r llrp.ReaderConfig) []llrp.ReaderConfig { return []llrp.ReaderConfig{r} }
	good := llrp.ReaderConfig{Name: "in", Antennas: []llrp.Antenna{{ID: 1}}}
	for _, tt := range []struct {
		cfg  llrp.Config
		want string
	}{
		{llrp.Config{Open: open, Readers: one(good)}, "no name"},
		{llrp.Config{Name: "d", Readers: one(good)}, `"d" has no port`},
		{llrp.Config{Name: "d", Open: open}, "has 0 readers"},
		{llrp.Config{Name: "d", Open: open, Session: 4, Readers: one(good)}, "session 4, Gen2 has 0 to 3"},
		{llrp.Config{Name: "d", Open: open, Keepalive: 1, Readers: one(good)}, "keepalive of 1ns"},
		{llrp.Config{Name: "d", Open: open, ReportEvery: -1, Readers: one(good)}, "is negative"},
		{llrp.Config{Name: "d", Open: open, Readers: []llrp.ReaderConfig{good, good}}, `"in" is empty or used twice`},
		{llrp.Config{Name: "d", Open: open, Readers: one(llrp.ReaderConfig{Name: "in"})}, "no antenna"},
		{llrp.Config{Name: "d", Open: open, Readers: one(llrp.ReaderConfig{Name: "in", Antennas: []llrp.Antenna{{}}})}, "counted from 1"},
		{llrp.Config{Name: "d", Open: open, Readers: []llrp.ReaderConfig{good, {Name: "out", Antennas: good.Antennas}}}, `antenna 1 is also one of reader "in"`},
		{llrp.Config{Name: "d", Open: open, Readers: one(llrp.ReaderConfig{Name: "in", Antennas: []llrp.Antenna{{ID: 1, Power: -5}}})}, "-0.05 dBm is no power"},
		{llrp.Config{Name: "d", Open: open, Readers: one(llrp.ReaderConfig{Name: "in", Antennas: good.Antennas, Dwell: -1})}, "a limit is negative"},
	} {
		if _, err := llrp.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(strings.ReplaceAll(text, " ", ""), "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
}
