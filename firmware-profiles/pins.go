package profiles

import (
	"fmt"
	"strings"
)

// pin resolves a role of the board's pins in value and takes the pin for the key at
// path. A pin is one key's alone, GPIO17 and 17 being one pin.
func (k *checker) pin(path string, value *string) {
	if pin, ok := k.p.Pins[*value]; ok {
		if next, is := k.p.Pins[pin]; is && next != pin {
			k.fail("pins."+*value, fmt.Sprintf("is %q, which stands for %q itself", clipped(pin), clipped(next)), "write the pin's own name, like \"GPIO17\"")
			return
		}
		*value = pin
	}
	switch {
	case *value == "":
		k.missing(path, `add %s = "GPIO17"`)
		return
	case !k.id(path, *value):
		return
	}
	number := strings.TrimPrefix(*value, "GPIO")
	if taken, ok := k.pins[number]; ok {
		o := k.at(taken)
		k.fail(path, fmt.Sprintf("is %s, which %q has already (%s:%d)", *value, keyOf(taken), o.File, o.Line), "give each of them a pin of its own")
		return
	}
	k.pins[number] = path
}

// optionalPin is pin for a key that may be left out.
func (k *checker) optionalPin(path string, value *string) {
	if *value != "" || k.given(path) {
		k.pin(path, value)
	}
}
