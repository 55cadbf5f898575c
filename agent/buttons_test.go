package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// panelProfile has a stack light, a buzzer and three buttons.
func panelProfile() profiles.Profile {
	button := func(name string, action, long profiles.Action) profiles.Button {
		return profiles.Button{Name: name, Pin: name, Action: action, LongPress: long, ActiveLow: true, Debounce: 25 * time.Millisecond}
	}
	return profiles.Profile{
		Lights:  []profiles.Light{{Name: "stack", Kind: profiles.LightGPIO, Red: "GPIO17", Amber: "GPIO27", Green: "GPIO22"}},
		Buzzers: []profiles.Buzzer{{Name: "horn", Pin: "GPIO23"}},
		Buttons: []profiles.Button{
			button("next", profiles.ActionNext, ""), button("yes", profiles.ActionConfirm, ""), button("red", profiles.ActionCancel, profiles.ActionCall),
		},
	}
}

// fitted gives a gateway of a test the lights and buttons of a profile, and a control
// socket.
func (b *board) fitted(panel *panel, p profiles.Profile) *client {
	b.plant.t.Helper()
	l := newPipes()
	b.build(func(c *Config, parts *Parts) {
		made := &builder{p: p, hardware: Hardware{Board: panel}, g: newGateway()}
		for _, light := range p.Lights {
			x, err := made.fitted("light", light, func(x *fitting) error { return made.openLight(x, light) })
			must(b.plant.t, err)
			made.parts.Lights = append(made.parts.Lights, NamedLight{Name: light.Name, Light: x.part.(drivers.Light)})
		}
		must(b.plant.t, errors.Join(made.buzzers(), made.buttons()))
		b.plant.t.Cleanup(func() { must(b.plant.t, made.made.close()) })
		parts.Lights = append(parts.Lights, made.parts.Lights...)
		parts.Buttons = made.parts.Buttons
		for _, a := range p.Actions() {
			c.Machine.Acts = append(c.Machine.Acts, actOf(a))
		}
		parts.Services = append(parts.Services, func(ctx context.Context) error { return b.ServeControl(ctx, l) })
		c.Machine.Badges = map[string]station.Badge{"0BAD6E": {Name: "olga"}}
	})
	b.run()
	return l.dial(b.plant.t)
}

// twins are two open items on one tag, at the packing station.
func twins(t *testing.T, p *plant, b *board) {
	t.Helper()
	in := newBook(t, p)
	order := in.order(ledger.Order{ID: "WO-1", Product: "BOX", Routing: []ledger.Operation{{ID: "10", Task: "pack", Place: "PACK-1"}}})
	for _, label := range []string{"L-1", "L-2"} {
		in.intake(order, label, tagA)
	}
	_, err := b.replica.Ingest(context.Background(), chain(t, in.r, "intake")...)
	must(t, err)
}

const short, long = 100 * time.Millisecond, 1500 * time.Millisecond

// TestChooseByButtons answers CHOOSE with gloves on: pins in, lamps and buzzer out.
func TestChooseByButtons(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, panel := p.gateway("pack"), newPanel("next", "yes", "red")
		b.fitted(panel, panelProfile())
		twins(t, p, b)
		says := func(want string) {
			t.Helper()
			if got := b.light.last().Text; !strings.HasPrefix(got, want) {
				t.Errorf("the light says %q, want %q", got, want)
			}
		}
		panel.tell()
		b.put(tagA)
		says("CHOOSE tag 04A1B2C3D4E580: expected one open item with this tag; found 2: 1 L-1, 2 L-2; next shows")
		time.Sleep(500 * time.Millisecond)
		if got := panel.tell(); got != "GPIO27 GPIO23 GPIO23" {
			t.Errorf("came on: %s, want amber and two beeps", got)
		}
		panel.push("yes", short)
		says("CHOOSE tag")
		panel.push("next", short)
		says("CHOOSE 1 of 2: L-1")
		panel.push("next", short)
		says("CHOOSE 2 of 2: L-2")
		panel.tell()
		panel.push("yes", short)
		says("ACCEPTED L-2")
		if got := panel.lit("GPIO17", "GPIO27", "GPIO22"); got != "GPIO22" {
			t.Errorf("lit: %s, want green alone", got)
		}
		b.lift(tagA)
		b.put(tagA)
		panel.push("red", short)
		says("CANCELLED tag")
		if got := panel.lit("GPIO17", "GPIO27", "GPIO22"); got != "" {
			t.Errorf("lit: %s, want nothing", got)
		}
		b.journal.times(1, journal.ScanAccepted, journal.ScanCancelled)
		b.journal.times(0, journal.ButtonFault, journal.HelpCalled, journal.LightFault)
	})
}

func TestHelpIsCalled(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, panel := p.gateway("pack"), newPanel("next", "yes", "red")
		d := b.fitted(panel, panelProfile())
		b.shows("0BAD6E", "ON SHIFT olga")
		began := time.Now()
		panel.push("red", long)
		s, err := d.Status(context.Background())
		must(t, err)
		if h := s.Help; h == nil || fmt.Sprint(h.Who) != "[olga]" || h.Button != "red" || h.Since < began.UnixMilli() || h.Since > time.Now().UnixMilli() {
			t.Errorf("help %+v", h)
		}
		if words := s.Words(); !strings.HasPrefix(words, "HELP CALLED by olga; station PACK-1") {
			t.Errorf("status %q", words)
		}
		if got := b.light.last(); got.Aspect != drivers.AspectAmber || !strings.HasPrefix(got.Text, "HELP CALLED by olga") {
			t.Errorf("shows %+v", got)
		}
		if e := b.journal.events(journal.HelpCalled); len(e) != 1 || e[0].fields[journal.KeyOperator] != "olga" || e[0].fields[journal.KeyDevice] != "red" {
			t.Errorf("journal %+v", e)
		}
		b.shows("0BAD6E", "HELP ENDED olga has come")
		panel.push("red", long)
		panel.push("red", short)
		if got := b.light.last().Text; !strings.HasPrefix(got, "HELP ENDED it was cancelled") {
			t.Errorf("shows %q", got)
		}
		panel.push("red", long)
		must(t, d.Operate(context.Background(), OperatorWord{Cancel: true}))
		synctest.Wait()
		b.journal.times(3, journal.HelpCalled, journal.HelpEnded)
		b.journal.times(0, journal.ScanCancelled)
		if s, err = d.Status(context.Background()); err != nil || s.Help != nil || len(s.Shift) != 1 {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}

// TestStuckButton is told once, with its pin, and once when it is well again; the
// others work on.
func TestStuckButton(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, panel := p.gateway("pack"), newPanel("next", "yes", "red")
		must(t, panel.knobs["yes"].Fault(emulate.FaultPin, true))
		d := b.fitted(panel, panelProfile())
		state := func(want string) {
			t.Helper()
			s, err := d.Status(context.Background())
			must(t, err)
			var got []string
			for _, x := range s.Buttons {
				got = append(got, fmt.Sprintf("%s %t", x.Name, x.Up))
			}
			if text := strings.Join(got, ", "); text != want {
				t.Errorf("buttons %s, want %s", text, want)
			}
			if len(s.Readers) != 1 {
				t.Errorf("readers %+v", s.Readers)
			}
		}
		time.Sleep(time.Second)
		state("next true, yes false, red true")
		b.journal.times(1, journal.ButtonFault) // a pin that another program holds
		must(t, panel.knobs["yes"].Fault(emulate.FaultPin, false))
		must(t, panel.knobs["red"].Fault(emulate.FaultStuck, true))
		time.Sleep(5 * time.Minute)
		state("next true, yes true, red false")
		b.journal.times(2, journal.ButtonFault)
		b.journal.times(1, journal.ButtonBack, journal.HelpCalled)
		e := b.journal.events(journal.ButtonFault)[1]
		if e.fields[journal.KeyDevice] != "red" || e.fields[journal.KeyPort] != "red" || !strings.Contains(e.fields[journal.KeyError], "stuck") {
			t.Errorf("journal %+v", e)
		}
		if s, err := b.Brief(); err != nil || !strings.Contains(s.Words(), "button red DOWN") {
			t.Errorf("status %q, %v", s.Words(), err)
		}
		must(t, panel.knobs["red"].Fault(emulate.FaultStuck, false))
		panel.push("red", short)
		state("next true, yes true, red true")
		b.journal.times(2, journal.ButtonBack)
		b.journal.times(0, journal.ReaderDown, journal.ReaderUp)
	})
}

// TestLampTest switches on every part of every light by itself, over the control
// socket; a scan is shown at once and ends it.
func TestLampTest(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, panel := p.gateway("pack"), newPanel("next", "yes", "red")
		d := b.fitted(panel, panelProfile())
		twins(t, p, b)
		panel.tell()
		tests, err := d.TestLights(context.Background())
		must(t, err)
		if got := panel.tell(); got != "GPIO17 GPIO27 GPIO22 GPIO23" {
			t.Errorf("came on: %s", got)
		}
		if got := fmt.Sprintf("%+v", tests); got != "[{Light:lamp Parts:[] Problem:} {Light:stack Parts:[red lamp amber lamp green lamp] Problem:} {Light:horn Parts:[buzzer] Problem:}]" {
			t.Errorf("tests %s", got)
		}
		ended := make(chan []LampTest)
		go func() {
			tests, _ := d.TestLights(context.Background())
			ended <- tests
		}()
		time.Sleep(time.Second)
		if got := b.put(tagA); !strings.HasPrefix(got, "CHOOSE") || panel.lit("GPIO17", "GPIO27", "GPIO22") != "GPIO27" {
			t.Errorf("shows %q, lit %s", got, panel.lit("GPIO17", "GPIO27", "GPIO22"))
		}
		if tests := <-ended; len(tests) != 3 || !strings.Contains(tests[1].Problem, "interrupted by a signal") {
			t.Errorf("tests %+v", tests)
		}
		given, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := b.Desk().TestLights(given); !errors.Is(err, ErrUnreachable) {
			t.Errorf("given up: %v", err)
		}
		b.stop()
		if _, err := b.Desk().TestLights(context.Background()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestWhatHasGoneIsNoReader: what a button said last before a reload took it away
// makes no reader of it, which would be down for ever.
func TestWhatHasGoneIsNoReader(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("pack")
		parts := b.parts
		b.parts.Buttons = []Button{{Device: newReader("yes")}, {Device: newReader("no")}}
		b.Agent.devices = statesOf(b.parts)
		parts.Buttons = []Button{{Device: newReader("no")}}
		b.reconfigure(b.cfg, parts, fittings{{of: profiles.Button{Name: "yes"}}, {of: profiles.Button{Name: "no"}}})
		devices := make(chan drivers.Event, 2)
		for _, name := range []string{"yes", "no"} {
			devices <- drivers.Event{Kind: drivers.Down, Reader: name, Err: errors.New("line is busy")}
		}
		b.station.resume(context.Background(), devices)
		b.journal.times(0, journal.ReaderDown)
		b.journal.times(1, journal.ButtonFault)
		if down := b.station.machine.Down(); len(down) != 0 || len(b.Agent.devices) != 2 {
			t.Errorf("down: %v, devices %+v", down, b.Agent.devices)
		}
	})
}

const panelSections = `
[[light]]
name = "stack"
kind = "gpio"
red = "GPIO17"
amber = "GPIO27"
green = "GPIO22"
[[buzzer]]
name = "horn"
pin = "GPIO23"
[[button]]
name = "help"
action = "call"
pin = "knob0"
[[button]]
action = "cancel"
pin = "knob1"
`

// TestButtonsAreReloaded assembles a gateway with a panel from its profile, and
// exchanges a button while it runs: what a stuck one said before does not outlive it,
// and a call goes on.
func TestButtonsAreReloaded(t *testing.T) {
	p := founded(t, intakeOrders+panelSections)
	log := &record{t: t, who: "G-1"}
	panel := newPanel("knob0", "knob1", "knob2")
	g, err := Assemble(context.Background(), p, KeySource{}, Hardware{Board: panel}, "1.0", journal.New(log, time.Now))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	defer func() { cancel(); must(t, errors.Join(<-ended, g.Close())) }()
	d, err := Dial(p.ControlSocket)
	must(t, err)
	defer d.Close() //nolint:errcheck // nothing is lost
	await := func(what string, is func(Status) bool) Status {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			s, err := d.Status(ctx)
			if err == nil && is(s) {
				return s
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v, %v", what, s, err)
			}
		}
	}
	up := func(n int) func(Status) bool {
		return func(s Status) bool {
			working := 0
			for _, b := range s.Buttons {
				if b.Up {
					working++
				}
			}
			return working == n
		}
	}
	await("two buttons", up(2))
	must(t, panel.knobs["knob1"].Fault(emulate.FaultChatter, true)) // cancel is worn
	s := await("one is worn", up(1))
	if len(s.Buttons) != 2 || s.Buttons[1].Name != "cancel" || s.Buttons[1].Port != "knob1" || s.Buttons[1].Up {
		t.Errorf("buttons %+v", s.Buttons)
	}
	panel.push("knob0", short)
	await("help", func(s Status) bool { return s.Help != nil && s.Help.Button == "help" })

	file := filepath.Join(filepath.Dir(p.KeyFile), ProfileName)
	text, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "knob1", "knob2")), 0o600))
	next, err := profiles.Load(file)
	must(t, err)
	must(t, g.Reload(ctx, file, next))
	s = await("the other button", up(2))
	if s.Help == nil || s.Buttons[1].Port != "knob2" {
		t.Errorf("help %+v, buttons %+v", s.Help, s.Buttons)
	}
	log.times(1, journal.ButtonFault, journal.ButtonBack, journal.HelpCalled)
	panel.push("knob2", short)
	await("help has ended", func(s Status) bool { return s.Help == nil })

	next.Buttons, next.Buzzers = nil, nil
	must(t, g.Reload(ctx, file, next))
	s = await("no button", func(s Status) bool { return len(s.Buttons) == 0 })
	if n := len(g.parts.Lights); n != 2 {
		t.Errorf("%d lights, want lines and stack", n)
	}
	for _, e := range log.events(journal.ReaderDown) {
		if e.fields[journal.KeyReader] != s.Readers[0].Name {
			t.Errorf("a button is no reader: %+v", e)
		}
	}
}
