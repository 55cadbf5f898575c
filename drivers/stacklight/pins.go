package stacklight

import (
	"errors"
	"fmt"

	"periph.io/x/conn/v3/gpio"
)

// PinName names one output as the board calls it, such as "GPIO17".
type PinName struct {
	Name string
	// ActiveLow: the lamp is lit, or the buzzer sounds, when the pin is low, as
	// most relay boards want it.
	ActiveLow bool
}

// PinNames names the outputs of a stack light. A light without a buzzer leaves its
// name empty, a buzzer without a light those of the lamps.
type PinNames struct{ Red, Amber, Green, Buzzer PinName }

// lampless reports whether only a buzzer is named.
func (n PinNames) lampless() bool {
	return n.Buzzer.Name != "" && n.Red.Name == "" && n.Amber.Name == "" && n.Green.Name == ""
}

// Output is one output.
type Output struct {
	Pin       gpio.PinOut
	ActiveLow bool // see [PinName]
}

// Pins are the outputs of a stack light. A light without a buzzer leaves its Pin
// nil, a buzzer without a light those of the lamps.
type Pins struct{ Red, Amber, Green, Buzzer Output }

// parts is a set of what a stack light is made of.
type parts uint8

const (
	red parts = 1 << iota
	amber
	green
	buzzer

	lamps = red | amber | green
	all   = lamps | buzzer
)

// parts are those that have a pin.
func (p Pins) parts() (all parts) {
	for _, o := range p.named() {
		if o.Pin != nil {
			all |= o.part
		}
	}
	return all
}

// named is an output with its part and its name for people.
type named struct {
	Output
	part parts
	name string
}

func (p Pins) named() []named {
	return []named{
		{p.Red, red, "red lamp"},
		{p.Amber, amber, "amber lamp"},
		{p.Green, green, "green lamp"},
		{p.Buzzer, buzzer, "buzzer"},
	}
}

// set switches the outputs that are among which: on those that are among on, off
// the others, and these first. Two verdicts are never seen at once. An output that
// fails keeps none of the others from being set.
func (p Pins) set(which, on parts) error {
	var errs []error
	for _, active := range []bool{false, true} {
		for _, o := range p.named() {
			if o.Pin == nil || which&o.part == 0 || (on&o.part != 0) != active {
				continue
			}
			if err := o.Pin.Out(gpio.Level(active != o.ActiveLow)); err != nil {
				errs = append(errs, fmt.Errorf("stacklight: %s on pin %s: %w", o.name, o.Pin.Name(), err))
			}
		}
	}
	return errors.Join(errs...)
}

// OpenGPIO finds the pins by their names, with pin such as Pin of
// traveler.example/drivers/board, and returns a dark, silent light. Close it to end
// it.
func OpenGPIO(pin func(name string) (gpio.PinIO, error), names PinNames, sound Sound) (*GPIO, error) {
	var pins Pins
	for _, p := range []struct {
		part string
		name PinName
		to   *Output
	}{
		{"red lamp", names.Red, &pins.Red},
		{"amber lamp", names.Amber, &pins.Amber},
		{"green lamp", names.Green, &pins.Green},
		{"buzzer", names.Buzzer, &pins.Buzzer},
	} {
		if p.name.Name == "" && (p.to == &pins.Buzzer || names.lampless()) {
			continue
		}
		found, err := pin(p.name.Name)
		if err != nil {
			return nil, fmt.Errorf("stacklight: %s: %w", p.part, err)
		}
		*p.to = Output{found, p.name.ActiveLow}
	}
	return NewGPIO(pins, sound)
}
