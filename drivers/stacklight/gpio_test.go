package stacklight_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"traveler.example/drivers"
	"traveler.example/drivers/stacklight"
)

// recorder is a pin that notes when it changes.
type recorder struct {
	gpiotest.Pin
	log  *record
	fail bool
}

type record struct {
	mu    sync.Mutex
	start time.Time
	text  []string
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.text, " ")
}

// clear begins anew, at this moment.
func (r *record) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text, r.start = nil, time.Now()
}

func (p *recorder) Out(l gpio.Level) error {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	if p.fail {
		return errors.New("pin is gone")
	}
	if p.Read() != l {
		p.log.text = append(p.log.text, fmt.Sprintf("%s%v@%d", p.N, map[gpio.Level]string{gpio.Low: "-", gpio.High: "+"}[l], time.Since(p.log.start).Milliseconds()))
	}
	return p.Pin.Out(l)
}

// break has the pin fail from now on.
func (p *recorder) breakDown() {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	p.fail = true
}

// pins returns outputs r, a, g and b, those whose names are in activeLow reversed.
func pins(activeLow string) (*record, map[string]*recorder, stacklight.Pins) {
	log, r := &record{start: time.Now()}, map[string]*recorder{}
	out := func(name string) stacklight.Output {
		r[name] = &recorder{Pin: gpiotest.Pin{N: name}, log: log}
		return stacklight.Output{Pin: r[name], ActiveLow: strings.Contains(activeLow, name)}
	}
	return log, r, stacklight.Pins{Red: out("r"), Amber: out("a"), Green: out("g"), Buzzer: out("b")}
}

// withLight runs a test in virtual time with a light on recorded pins.
func withLight(t *testing.T, activeLow string, sound stacklight.Sound, test func(t *testing.T, light *stacklight.GPIO, log *record, r map[string]*recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log, r, p := pins(activeLow)
		light, err := stacklight.NewGPIO(p, sound)
		if err != nil {
			t.Fatal(err)
		}
		defer light.Close()
		test(t, light, log, r)
	})
}

func show(t *testing.T, light *stacklight.GPIO, a drivers.Aspect) {
	t.Helper()
	if err := light.Show(t.Context(), drivers.Signal{Aspect: a}); err != nil {
		t.Error(err)
	}
}

func TestGPIORhythms(t *testing.T) {
	for aspect, want := range map[drivers.Aspect]string{
		drivers.AspectIdle:  "",
		drivers.AspectGreen: "g+@0 g-@2500",
		drivers.AspectAmber: "a+@0 a-@1000 a+@2000 a-@2500",
		drivers.AspectRed:   "r+@0 r-@200 r+@400 r-@600 r+@800 r-@1000 r+@1200 r-@1400 r+@1600 r-@1800 r+@2000 r-@2200 r+@2400 r-@2500",
		drivers.AspectFault: "r+@0 a+@0 r-@150 a-@150 r+@350 a+@350 r-@500 a-@500 r+@1700 a+@1700 r-@1850 a-@1850 r+@2050 a+@2050 r-@2200 a-@2200",
	} {
		withLight(t, "", stacklight.Sound{Quiet: true}, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
			show(t, light, aspect)
			time.Sleep(2500 * time.Millisecond)
			if err := errors.Join(light.Close(), light.Close()); err != nil {
				t.Error(err)
			}
			if got := log.String(); got != want {
				t.Errorf("%v: %s\nwant %s", aspect, got, want)
			}
			if err := light.Show(t.Context(), drivers.Signal{}); !errors.Is(err, drivers.ErrClosed) {
				t.Errorf("shown after Close: %v", err)
			}
			if err := light.Test(t.Context()); !errors.Is(err, drivers.ErrClosed) {
				t.Errorf("tested after Close: %v", err)
			}
		})
	}
}

// heard leaves only the buzzer in a record.
func heard(log *record) string {
	var beeps []string
	for _, s := range strings.Fields(log.String()) {
		if strings.HasPrefix(s, "b") {
			beeps = append(beeps, s)
		}
	}
	return strings.Join(beeps, " ")
}

func TestGPIOSounds(t *testing.T) {
	const (
		redOnce   = "b+@0 b-@600 b+@720 b-@820"
		redTwice  = redOnce + " b+@2020 b-@2620 b+@2740 b-@2840"
		redThrice = redTwice + " b+@4040 b-@4640 b+@4760 b-@4860"
		fault     = "b+@0 b-@100 b+@220 b-@320 b+@440 b-@540 b+@660 b-@760"
	)
	for _, tt := range []struct {
		aspect drivers.Aspect
		sound  stacklight.Sound
		want   string // within an hour
	}{
		{drivers.AspectIdle, stacklight.Sound{}, ""},
		{drivers.AspectGreen, stacklight.Sound{}, "b+@0 b-@100"},
		{drivers.AspectGreen, stacklight.Sound{Repeats: -1}, "b+@0 b-@100"},
		{drivers.AspectAmber, stacklight.Sound{}, "b+@0 b-@100 b+@220 b-@320"},
		{drivers.AspectRed, stacklight.Sound{}, redThrice},
		{drivers.AspectRed, stacklight.Sound{Repeats: 1}, redOnce},
		{drivers.AspectRed, stacklight.Sound{Repeats: 2}, redTwice},
		{drivers.AspectFault, stacklight.Sound{Repeats: 1}, fault},
		{drivers.Aspect(99), stacklight.Sound{Repeats: 1}, fault},
		{drivers.AspectRed, stacklight.Sound{Quiet: true, Repeats: 2}, ""},
	} {
		withLight(t, "", tt.sound, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
			show(t, light, tt.aspect)
			time.Sleep(time.Hour)
			if got := heard(log); got != tt.want {
				t.Errorf("%v with %+v: %s\nwant %s", tt.aspect, tt.sound, got, tt.want)
			}
		})
	}
}

// A sound that has no end goes on until the next signal, and a signal cuts the
// sound of the one before.
func TestGPIOSoundEnds(t *testing.T) {
	withLight(t, "", stacklight.Sound{Repeats: -1}, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
		show(t, light, drivers.AspectRed)
		time.Sleep(time.Hour + 300*time.Millisecond)
		if n := len(strings.Fields(heard(log))); n < 7000 {
			t.Errorf("the buzzer changed %d times in an hour", n)
		}
		log.clear()
		show(t, light, drivers.AspectGreen)
		time.Sleep(time.Hour)
		if got := heard(log); got != "b+@0 b-@100" {
			t.Errorf("green after red sounds %s", got)
		}
	})
}

// The same signal again is the answer to another scan, and is heard.
func TestGPIOSoundsAgain(t *testing.T) {
	withLight(t, "", stacklight.Sound{}, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
		show(t, light, drivers.AspectGreen)
		time.Sleep(time.Second)
		show(t, light, drivers.AspectGreen)
		time.Sleep(time.Second)
		if got := log.String(); got != "g+@0 b+@0 b-@100 b+@1000 b-@1100" {
			t.Errorf("got %s", got)
		}
	})
}

// One verdict goes out before the next is lit, whichever level lights each lamp.
func TestGPIOChanges(t *testing.T) {
	for activeLow, want := range map[string]string{
		"":    "r+@0 r-@0 g+@0 g-@0 a+@0 a-@0",
		"rag": "r+@0 a+@0 g+@0 r-@0 r+@0 g-@0 g+@0 a-@0 a+@0", // dark at first: all pins high
		"a":   "a+@0 r+@0 r-@0 g+@0 g-@0 a-@0 a+@0",
	} {
		withLight(t, activeLow, stacklight.Sound{Quiet: true}, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
			for _, a := range []drivers.Aspect{drivers.AspectRed, drivers.AspectGreen, drivers.AspectAmber, drivers.AspectIdle} {
				show(t, light, a)
			}
			time.Sleep(time.Minute)
			if got := log.String(); got != want {
				t.Errorf("active low %q: %s\nwant %s", activeLow, got, want)
			}
		})
	}
}

func TestGPIOTest(t *testing.T) {
	withLight(t, "b", stacklight.Sound{Quiet: true}, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
		show(t, light, drivers.AspectGreen)
		log.clear()
		if err := light.Test(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		const want = "g-@0 r+@0 r-@700 a+@700 a-@1400 g+@1400 g-@2100 b-@2100 b+@2400 g+@2400"
		if got := log.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// The sound of the signal before does not mix with that of the test.
func TestGPIOTestIsHeard(t *testing.T) {
	withLight(t, "", stacklight.Sound{Repeats: -1}, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
		show(t, light, drivers.AspectRed)
		time.Sleep(650 * time.Millisecond)
		log.clear()
		if err := light.Test(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if got := heard(log); got != "b+@2100 b-@2400" {
			t.Errorf("heard %s", got)
		}
	})
}

// A signal is shown at once, test or not; and what was shown comes back when a test
// is given up.
func TestGPIOTestInterrupted(t *testing.T) {
	withLight(t, "", stacklight.Sound{}, func(t *testing.T, light *stacklight.GPIO, log *record, _ map[string]*recorder) {
		outcome := make(chan error)
		go func() { outcome <- light.Test(t.Context()) }()
		time.Sleep(time.Second)
		log.clear()
		show(t, light, drivers.AspectGreen)
		if err := <-outcome; !errors.Is(err, stacklight.ErrInterrupted) {
			t.Errorf("interrupted test: %v", err)
		}
		time.Sleep(time.Hour)
		if got := log.String(); got != "a-@0 g+@0 b+@0 b-@100" {
			t.Errorf("after the interruption: %s", got)
		}
		log.clear()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := light.Test(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("test given up: %v", err)
		}
		time.Sleep(time.Hour)
		if got := log.String(); got != "g-@0 r+@0 r-@700 a+@700 a-@1000 g+@1000" {
			t.Errorf("after the test was given up: %s", got)
		}
		go func() { outcome <- light.Test(t.Context()) }()
		time.Sleep(time.Second)
		light.Close()
		if err := <-outcome; !errors.Is(err, drivers.ErrClosed) {
			t.Errorf("closed test: %v", err)
		}
	})
}

func TestGPIOReportsFailure(t *testing.T) {
	withLight(t, "", stacklight.Sound{}, func(t *testing.T, light *stacklight.GPIO, _ *record, r map[string]*recorder) {
		r["g"].breakDown()
		if err := light.Show(t.Context(), drivers.Signal{Aspect: drivers.AspectGreen}); err == nil || !strings.Contains(err.Error(), "green lamp on pin g") {
			t.Errorf("got %v, want an error that names the lamp", err)
		}
		r["b"].breakDown()
		err := light.Test(t.Context())
		for _, part := range []string{"green lamp on pin g", "buzzer on pin b"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("test found %v, want %s", err, part)
			}
		}
	})
}

// A lamp that fails while it blinks is told of by the next signal, once.
func TestGPIOFailsWhileBlinking(t *testing.T) {
	withLight(t, "", stacklight.Sound{}, func(t *testing.T, light *stacklight.GPIO, _ *record, r map[string]*recorder) {
		show(t, light, drivers.AspectAmber)
		r["a"].breakDown()
		time.Sleep(time.Hour)
		r["a"].log.mu.Lock()
		r["a"].fail = false
		r["a"].log.mu.Unlock()
		if err := light.Show(t.Context(), drivers.Signal{}); err == nil || strings.Count(err.Error(), "amber lamp") != 1 {
			t.Errorf("got %v, want one error that names the lamp", err)
		}
		show(t, light, drivers.AspectGreen)
	})
}

// What cannot be used is refused.
func TestNewGPIORefuses(t *testing.T) {
	if _, err := stacklight.NewGPIO(stacklight.Pins{}, stacklight.Sound{}); err == nil {
		t.Error("a light without pins was opened")
	}
}

// A pin that another program holds is told of by every signal until it is free, and
// the other lamps are dark meanwhile.
func TestGPIOWithAPinThatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, r, p := pins("")
		r["r"].fail = true
		r["g"].L = gpio.High
		light, err := stacklight.NewGPIO(p, stacklight.Sound{})
		if err != nil {
			t.Fatal(err)
		}
		defer light.Close()
		if r["g"].Read() != gpio.Low {
			t.Error("a lamp that was on when the light was opened stays on")
		}
		for range 3 {
			if err := light.Show(t.Context(), drivers.Signal{Aspect: drivers.AspectGreen}); err == nil || !strings.Contains(err.Error(), "red lamp on pin") {
				t.Errorf("got %v, want an error that names lamp and pin", err)
			}
		}
		log.mu.Lock()
		r["r"].fail = false
		log.mu.Unlock()
		show(t, light, drivers.AspectGreen)
	})
}

// A light without a buzzer is silent, and its test is shorter.
func TestGPIOWithoutBuzzer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _, p := pins("")
		p.Buzzer = stacklight.Output{}
		light, err := stacklight.NewGPIO(p, stacklight.Sound{})
		if err != nil {
			t.Fatal(err)
		}
		defer light.Close()
		show(t, light, drivers.AspectGreen)
		if err := light.Test(t.Context()); err != nil {
			t.Error(err)
		}
		if got := log.String(); got != "g+@0 g-@0 r+@0 r-@700 a+@700 a-@1400 g+@1400" {
			t.Errorf("got %s", got)
		}
	})
}

// A buzzer without a light sounds what a light with one does.
func TestBuzzerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _, p := pins("b")
		alone, err := stacklight.NewGPIO(stacklight.Pins{Buzzer: p.Buzzer}, stacklight.Sound{})
		if err != nil {
			t.Fatal(err)
		}
		defer alone.Close()
		log.clear()
		show(t, alone, drivers.AspectGreen)
		time.Sleep(time.Second)
		if err := alone.Test(t.Context()); err != nil {
			t.Error(err)
		}
		if got := log.String(); got != "b-@0 b+@100 b-@1000 b+@1300" {
			t.Errorf("got %s", got)
		}
	})
	_, _, p := pins("")
	p.Amber = stacklight.Output{}
	if _, err := stacklight.NewGPIO(p, stacklight.Sound{}); err == nil {
		t.Error("a light without amber was opened")
	}
}

var errNoPin = errors.New("no such pin")

func TestOpenGPIO(t *testing.T) {
	all := make(map[string]*gpiotest.Pin)
	find := func(name string) (gpio.PinIO, error) {
		if p := all[name]; p != nil {
			return p, nil
		}
		return nil, errNoPin
	}
	open := func(red, amber, green, buzzer string) (*stacklight.GPIO, error) {
		name := func(s string) stacklight.PinName { return stacklight.PinName{Name: s, ActiveLow: s == buzzer} }
		return stacklight.OpenGPIO(find, stacklight.PinNames{Red: name(red), Amber: name(amber), Green: name(green), Buzzer: name(buzzer)}, stacklight.Sound{})
	}
	for i, name := range []string{"R", "A", "G", "B"} {
		all[name] = &gpiotest.Pin{N: name, Num: i}
	}
	if _, err := open("NOPIN", "A", "G", ""); !errors.Is(err, errNoPin) || !strings.Contains(err.Error(), "red lamp") {
		t.Errorf("got %v, want an error that names the lamp", err)
	}
	if _, err := open("R", "A", "G", "NOPIN"); !errors.Is(err, errNoPin) || !strings.Contains(err.Error(), "buzzer") {
		t.Errorf("got %v, want an error that names the buzzer", err)
	}
	if _, err := open("R", "", "", "B"); err == nil {
		t.Error("a light with one lamp was opened")
	}
	if alone, err := open("", "", "", "B"); err != nil {
		t.Errorf("a buzzer alone: %v", err)
	} else if alone.Close(); !all["B"].Read() {
		t.Error("the buzzer alone, active low, sounds on")
	}
	light, err := open("R", "A", "G", "B")
	if err != nil {
		t.Fatal(err)
	}
	defer light.Close()
	if err := light.Show(context.Background(), drivers.Signal{Aspect: drivers.AspectGreen}); err != nil {
		t.Fatal(err)
	}
	if all["R"].Read() || all["A"].Read() || !all["G"].Read() {
		t.Errorf("pins are %v %v %v, want only green high", all["R"].Read(), all["A"].Read(), all["G"].Read())
	}
	if light.Close(); !all["B"].Read() {
		t.Error("the buzzer, active low, sounds on")
	}
}
