package scale_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/scale"
)

func TestParseStandard(t *testing.T) {
	for _, tt := range []struct {
		line string
		want drivers.Weight
		err  error
	}{
		{"ST,+00123.45  g", 123_450, nil},
		{"ST,+0001.020 kg", 1_020_000, nil},
		{"ST,+00012.3450  g", 12_345, nil}, // HR-A: one more digit
		{"ST,+00001250 mg", 1250, nil},
		{"ST,+00000.00  g", 0, nil},
		{"ST,-00000.00  g", 0, nil},
		{"ST,-00003.20  g", 0, drivers.ErrNegative},
		{"US,+00123.45  g", 0, drivers.ErrUnstable},
		{"US,", 0, drivers.ErrUnstable},
		{"EC,E11", 0, drivers.ErrUnstable},
		{"OL,+9999999E+19", 0, drivers.ErrOverload},
		{"OL,+999999999  g", 0, drivers.ErrOverload},
		{"OL,", 0, drivers.ErrOverload},
		{"OL,-9999999E+19", 0, drivers.ErrUnderload},
		{"QT,+00001234 PC", 0, drivers.ErrUnit},
		{"ST,+00123.45 lb", 0, drivers.ErrUnit},
		{"ST,+00123.45ozs", 0, drivers.ErrUnit},
		{"ST,+00123.45   ", 0, drivers.ErrUnit},
		{"ST,+00123.4567  g", 0, drivers.ErrPrecision},
		{"ST,+99999999999999999999 kg", 0, drivers.ErrOverload},
		{"EC,E01", 0, scale.ErrScale},
		{"EC,E99", 0, scale.ErrScale},
		{"?", 0, scale.ErrScale},
		{"I", 0, scale.ErrScale},
		{"ST,00123.45  g", 0, drivers.ErrProtocol},
		{"ST,+00123,45  g", 0, drivers.ErrProtocol},
		{"ST,+1E3  g", 0, drivers.ErrProtocol},
		{"ST,+  g", 0, drivers.ErrProtocol},
		{"ST", 0, drivers.ErrProtocol},
		{"ST,", 0, drivers.ErrProtocol},
		{"st,+00123.45  g", 0, drivers.ErrProtocol},
		{"WT +00123.45  g", 0, drivers.ErrProtocol}, // dump print, another format of theirs
		{"S S     100.00 g", 0, drivers.ErrProtocol},
		{"", 0, drivers.ErrProtocol},
	} {
		got, err := scale.ParseStandard(tt.line)
		if got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%q = %v, %v; want %v, %v", tt.line, got, err, tt.want, tt.err)
		}
	}
}

// As FuzzLines, for the standard format of A&D.
func FuzzStandard(f *testing.F) {
	for _, line := range []string{"ST,+00123.45  g", "US,-00000.01 kg", "OL,+9999999E+19", "QT,+00001234 PC", "EC,E11", "?", "ST,+0  g"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		w, err := scale.ParseStandard(line)
		if w < 0 || err != nil && w != 0 || err == nil && !strings.HasPrefix(line, "ST,") {
			t.Errorf("%q = %v, %v", line, w, err)
		}
	})
}

// startAs runs a scale on cables in memory, in a protocol, with its device set to
// another.
func startAs(t *testing.T, p scale.Protocol, speaks string) *bench {
	t.Helper()
	device := emulate.NewScale()
	if err := device.Speak(speaks); err != nil {
		t.Fatal(err)
	}
	return startWith(t, device, nil, p)
}

// Protocols of the emulated scale that each test of both is run in.
var protocols = []string{emulate.SpeakSICS, emulate.SpeakAD, emulate.SpeakADCodes, emulate.SpeakADSilent}

func (b *bench) do(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if err := b.device.Do(c); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) weighs(t *testing.T, want drivers.Weight) {
	t.Helper()
	if w, err := b.Weigh(t.Context()); w != want || err != nil {
		t.Errorf("weighs %v, %v; want %v", w, err, want)
	}
}

func TestWeighAD(t *testing.T) {
	for _, tt := range []struct {
		do   []string
		want drivers.Weight
		err  error
	}{
		{[]string{"weigh 12.5 g"}, 12_500, nil},
		{[]string{"weigh 1.020 kg", "fault fragment"}, 1_020_000, nil},
		{[]string{"weigh 12.5 g", "fault delay"}, 12_500, nil},
		{[]string{"weigh 12.5 g unstable"}, 0, drivers.ErrUnstable},
		{[]string{"weigh 12.5 lb"}, 0, drivers.ErrUnit},
		{[]string{"weigh 12 PC"}, 0, drivers.ErrUnit},
		{[]string{"weigh -12.5 g"}, 0, drivers.ErrNegative},
		{[]string{"weigh 12.5678 g"}, 0, drivers.ErrPrecision},
		{[]string{"fault overload"}, 0, drivers.ErrOverload},
		{[]string{"fault underload"}, 0, drivers.ErrUnderload},
		{[]string{"fault syntax"}, 0, scale.ErrScale},
		{[]string{"fault garbage"}, 0, drivers.ErrProtocol},
		{[]string{"fault silence"}, 0, drivers.ErrSilent},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := startAs(t, scale.AD, emulate.SpeakADCodes)
			b.expect(t, drivers.Up)
			b.do(t, tt.do...)
			if w, err := b.Weigh(t.Context()); w != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("%q: %v, %v; want %v, %v", tt.do, w, err, tt.want, tt.err)
			}
		})
	}
}

func TestProtocolIsDetected(t *testing.T) {
	for _, speaks := range protocols {
		synctest.Test(t, func(t *testing.T) {
			b := startAs(t, scale.Detect, speaks)
			b.expect(t, drivers.Up)
			want := map[bool]string{true: "MT-SICS B021002593", false: "A&D standard format"}[speaks == emulate.SpeakSICS]
			if got := b.Info().Model; got != want {
				t.Errorf("%s is taken for %q, want %q", speaks, got, want)
			}
			b.do(t, "weigh 12.5 g")
			b.weighs(t, 12_500)
		})
	}
}

// A scale that speaks another protocol than configured is down, with a word about
// it, and nothing else is tried.
func TestProtocolIsWrong(t *testing.T) {
	for _, tt := range []struct {
		protocol scale.Protocol
		speaks   string
		err      error
	}{
		{scale.SICS, emulate.SpeakADCodes, drivers.ErrProtocol},
		{scale.SICS, emulate.SpeakADSilent, drivers.ErrSilent},
		{scale.AD, emulate.SpeakSICS, drivers.ErrProtocol},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := startAs(t, tt.protocol, tt.speaks)
			if e := b.expect(t, drivers.Down); !errors.Is(e.Err, tt.err) {
				t.Errorf("%v on %s: %v, want %v", tt.protocol, tt.speaks, e.Err, tt.err)
			}
		})
	}
	_, err := scale.New(scale.Config{Name: "x", Open: func(context.Context) (drivers.Port, error) { return nil, nil }, Protocol: 9})
	if err == nil || scale.Protocol(9).String() != "protocol(9)" || scale.Detect.String() != "detect" {
		t.Errorf("protocol 9: %v", err)
	}
}

func TestTare(t *testing.T) {
	for _, speaks := range protocols {
		synctest.Test(t, func(t *testing.T) {
			b := startAs(t, scale.Detect, speaks)
			b.expect(t, drivers.Up)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%s: %v", speaks, err)
				}
			}
			b.do(t, "weigh 0.20 g") // dust
			must(b.Zero(t.Context()))
			b.weighs(t, 0)
			b.do(t, "weigh 50.20 g") // a box
			must(b.Tare(t.Context()))
			b.weighs(t, 0)
			b.do(t, "weigh 62.70 g") // a thing in it
			b.weighs(t, 12_500)
			b.do(t, "weigh 0.20 g") // all is taken off
			if _, err := b.Weigh(t.Context()); !errors.Is(err, drivers.ErrNegative) {
				t.Errorf("%s: without its container %v, want ErrNegative", speaks, err)
			}
			b.do(t, "weigh 62.70 g")
			if err := b.ClearTare(t.Context()); speaks == emulate.SpeakADSilent {
				if !errors.Is(err, drivers.ErrSilent) {
					t.Errorf("cleared on a scale that does not answer: %v", err)
				}
			} else {
				must(err)
				b.weighs(t, 62_500)
			}
		})
	}
}

// Zero and Tare wait for the load as Weigh does, and tell why they failed.
func TestTareWaitsAndFails(t *testing.T) {
	for _, speaks := range protocols {
		for _, tt := range []struct {
			do    string
			rests bool // later
			err   []error
		}{
			{"weigh 3.00 g unstable", true, nil},
			{"weigh 3.00 g unstable", false, []error{drivers.ErrUnstable}},
			{"fault overload", false, []error{drivers.ErrOverload, scale.ErrScale}},
			{"fault underload", false, []error{drivers.ErrUnderload, scale.ErrScale}},
			{"fault range", false, []error{drivers.ErrOverload, scale.ErrScale}},
			{"fault syntax", false, []error{scale.ErrScale, drivers.ErrSilent}},
			{"fault silence", false, []error{drivers.ErrSilent, drivers.ErrUnstable}},
		} {
			synctest.Test(t, func(t *testing.T) {
				b := startAs(t, scale.Detect, speaks)
				b.expect(t, drivers.Up)
				for name, do := range map[string]func(context.Context) error{"zero": b.Zero, "tare": b.Tare} {
					b.do(t, "weigh 3.00 g", tt.do)
					if tt.rests {
						time.AfterFunc(3*time.Second, func() { b.device.Weigh("3.10", "g", true) })
					}
					err := do(t.Context())
					if ok := err == nil && tt.err == nil || oneOf(err, tt.err); !ok && !errors.Is(err, drivers.ErrDown) {
						t.Errorf("%s, %s after %q: %v", speaks, name, tt.do, err)
					}
					if tt.rests {
						b.weighs(t, 0)
					}
				}
			})
		}
	}
}

func oneOf(err error, wanted []error) bool {
	for _, w := range wanted {
		if errors.Is(err, w) {
			return true
		}
	}
	return false
}

// A Weigh that is given up ends at once, and the answer that comes late is not
// taken for the next one's.
func TestWeighADCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startAs(t, scale.AD, emulate.SpeakAD)
		b.expect(t, drivers.Up)
		b.do(t, "weigh 99 g unstable", "fault delay")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		if _, err := b.Weigh(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > 2*time.Second {
			t.Errorf("got %v after %v, want the context's error after a second", err, time.Since(started))
		}
		b.do(t, "weigh 12.5 g")
		b.weighs(t, 12_500)
		tared, cancel2 := context.WithTimeout(t.Context(), time.Second)
		defer cancel2()
		b.do(t, "weigh 12.5 g unstable")
		if err := b.Tare(tared); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("taring given up: %v, want the context's error", err)
		}
	})
}

// The second acknowledgement comes when the load is at rest, which may be just as
// the scale is asked something else.
func TestLateAcknowledgement(t *testing.T) {
	for rest := 3000 * time.Millisecond; rest < 3300*time.Millisecond; rest += 10 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			b := startAs(t, scale.AD, emulate.SpeakADCodes)
			b.expect(t, drivers.Up)
			b.do(t, "fault delay", "weigh 3.00 g unstable")
			time.AfterFunc(rest, func() { b.device.Weigh("3.10", "g", true) })
			if err := b.Tare(t.Context()); err != nil {
				t.Errorf("at rest after %v: %v", rest, err)
			}
		})
	}
}

// What the print key sent is of a load that may be gone.
func TestPrintKey(t *testing.T) {
	for _, speaks := range protocols {
		synctest.Test(t, func(t *testing.T) {
			b := startAs(t, scale.Detect, speaks)
			b.expect(t, drivers.Up)
			b.do(t, "weigh 99 g", "print")
			time.Sleep(time.Second)
			b.do(t, "weigh 12.5 g")
			b.weighs(t, 12_500)
		})
	}
}

// A scale that sleeps through the first question is asked again.
func TestSleepyScale(t *testing.T) {
	for _, speaks := range protocols {
		synctest.Test(t, func(t *testing.T) {
			device := emulate.NewScale()
			device.Speak(speaks)
			device.Fault(emulate.FaultSilence, true)
			time.AfterFunc(1500*time.Millisecond, func() { device.Fault(emulate.FaultSilence, false) })
			b := startWith(t, device, nil, scale.Detect)
			b.expect(t, drivers.Up)
		})
	}
}

func TestSilenceOfADIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startAs(t, scale.Detect, emulate.SpeakADSilent)
		b.expect(t, drivers.Up)
		b.do(t, "fault silence")
		if e := b.expect(t, drivers.Down); !errors.Is(e.Err, drivers.ErrSilent) {
			t.Errorf("down because of %v, want ErrSilent", e.Err)
		}
		time.Sleep(time.Minute)
		b.do(t, "fault silence off")
		b.expect(t, drivers.Up)
	})
}

func TestADEndsWhileWeighing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"weigh", "tare"} {
			ctx, cancel := context.WithCancel(t.Context())
			host, end := drivertest.Cable()
			device := emulate.NewScale()
			device.Speak(emulate.SpeakAD)
			s, err := scale.New(scale.Config{Name: "bench", Protocol: scale.AD, Open: func(context.Context) (drivers.Port, error) { return host, nil }})
			if err != nil {
				t.Fatal(err)
			}
			events, ended := make(chan drivers.Event, 4), make(chan struct{})
			go device.Serve(t.Context(), end)
			go func() { defer close(ended); s.Run(ctx, events) }()
			<-events
			device.Weigh("1", "g", false)
			result := make(chan error, 1)
			go func() {
				_, err := s.Weigh(t.Context())
				if name == "tare" {
					err = s.Tare(t.Context())
				}
				result <- err
			}()
			time.Sleep(2 * time.Second)
			cancel()
			started := time.Now()
			<-ended
			if took := time.Since(started); took > time.Second {
				t.Errorf("run ended after %v, want at most 1 s", took)
			}
			if err := <-result; !errors.Is(err, drivers.ErrDown) {
				t.Errorf("%s ended with %v, want ErrDown", name, err)
			}
		}
	})
}

func TestTareOnPTY(t *testing.T) {
	device := emulate.NewScale()
	device.Speak(emulate.SpeakADCodes)
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "scale"), device)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	b := startWith(t, device, drivers.Serial{Path: socket.Path(), Baud: scale.DefaultBaud}.Open, scale.AD)
	b.expect(t, drivers.Up)
	device.Weigh("50.20", "g", true)
	if err := b.Tare(t.Context()); err != nil {
		t.Fatal(err)
	}
	device.Weigh("62.70", "g", true)
	b.weighs(t, 12_500)
}
