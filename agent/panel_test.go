package agent

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/physic"

	"traveler.example/drivers/emulate"
)

// panel is a board with pins that lead to lamps, a buzzer and push buttons.
type panel struct {
	noBoard
	mu    sync.Mutex
	knobs map[string]knob
	lamps map[string]*gpiotest.Pin
	came  []string // lamps and buzzers, each time that they came on
}

// newPanel returns a panel whose buttons lead to ground.
func newPanel(buttons ...string) *panel {
	b := &panel{knobs: map[string]knob{}, lamps: map[string]*gpiotest.Pin{}}
	for _, name := range buttons {
		b.knobs[name] = knob{emulate.NewButton(name, true)}
	}
	return b
}

func (b *panel) Pin(name string) (gpio.PinIO, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, is := b.knobs[name]; is {
		return k, nil
	}
	if !strings.HasPrefix(name, "GPIO") {
		return nil, fmt.Errorf("the panel has no pin %s", name)
	}
	if b.lamps[name] == nil {
		b.lamps[name] = &gpiotest.Pin{N: name}
	}
	return lamp{b.lamps[name], b}, nil
}

// lit lists the lamps that shine and the buzzers that sound, of the pins asked for.
func (b *panel) lit(names ...string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var on []string
	for _, name := range names {
		if p := b.lamps[name]; p != nil && bool(p.Read()) {
			on = append(on, name)
		}
	}
	return strings.Join(on, " ")
}

// tell forgets and returns what came on.
func (b *panel) tell() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.Join(b.came, " ")
	b.came = nil
	return text
}

// push pushes a button for as long and lets it go.
func (b *panel) push(name string, long time.Duration) {
	time.Sleep(500 * time.Millisecond) // a person looks first
	b.knobs[name].Press()
	time.Sleep(long)
	b.knobs[name].Release()
	time.Sleep(200 * time.Millisecond)
}

type lamp struct {
	*gpiotest.Pin
	panel *panel
}

func (l lamp) Out(level gpio.Level) error {
	l.panel.mu.Lock()
	if bool(level) && !bool(l.Read()) {
		l.panel.came = append(l.panel.came, l.N)
	}
	l.panel.mu.Unlock()
	return l.Pin.Out(level)
}

// knob is the pin of a button, which is no output.
type knob struct{ *emulate.Button }

var errInput = errors.New("a button is no output")

func (knob) Out(gpio.Level) error                  { return errInput }
func (knob) PWM(gpio.Duty, physic.Frequency) error { return errInput }
