package profiles

import "fmt"

// pin resolves a role of the board's pins in value and takes the pin for the key at
// path. A pin is one key's alone.
func (k *checker) pin(path string, value *string) {
	if role, ok := k.p.Pins[*value]; ok {
		*value = role
	}
	switch {
	case *value == "":
		k.missing(path, `add %s = "GPIO17"`)
		return
	case !k.id(path, *value):
		return
	}
	if taken, ok := k.pins[*value]; ok {
		o := k.at(taken)
		k.fail(path, fmt.Sprintf("is %s, which %q has already (%s:%d)", *value, keyOf(taken), o.File, o.Line), "give each of them a pin of its own")
		return
	}
	k.pins[*value] = path
}

// optionalPin is pin for a key that may be left out.
func (k *checker) optionalPin(path string, value *string) {
	if *value != "" || k.given(path) {
		k.pin(path, value)
	}
}
