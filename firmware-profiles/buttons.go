package profiles

import (
	"fmt"
	"slices"
	"time"
)

// maxDebounce is the longest that a contact may have to rest: a push is shorter than
// what lies above.
const maxDebounce = 200 * time.Millisecond

// actions are the words for what a button does.
func actions() []string {
	words := []string{string(ActionConfirm), string(ActionNext), string(ActionCancel), string(ActionCall)}
	for n := range 9 {
		words = append(words, fmt.Sprintf("%s%d", actionChoose, n+1))
	}
	return words
}

func (k *checker) buzzers() {
	names := make(map[string]bool)
	for _, l := range k.p.Lights {
		names[l.Name] = true
	}
	for i := range k.p.Buzzers {
		b, path := &k.p.Buzzers[i], fmt.Sprintf("buzzer[%d]", i)
		if b.Name == "" && !k.given(path+".name") {
			b.Name = "buzzer"
		}
		if k.id(path+".name", b.Name) && names[b.Name] {
			k.fail(path+".name", fmt.Sprintf("is %q, as of a light or buzzer before", b.Name), "give each light and buzzer a name of its own")
		}
		names[b.Name] = true
		k.pin(path+".pin", &b.Pin)
	}
}

// buttons checks each button, and that together they lead somewhere: what shows an
// option needs one that takes it, and a call one that ends it.
func (k *checker) buttons() {
	names := map[string]bool{"scale": k.p.Scale != nil}
	for _, r := range k.p.Readers {
		names[r.Name] = true
	}
	does := make(map[Action]string) // action → path of the key that names it
	for i := range k.p.Buttons {
		b, path := &k.p.Buttons[i], fmt.Sprintf("button[%d]", i)
		k.button(path, b, names)
		for _, a := range []struct {
			key    string
			action Action
		}{{path + ".action", b.Action}, {path + ".long_press", b.LongPress}} {
			if taken, ok := does[a.action]; ok {
				o := k.at(taken)
				k.fail(a.key, fmt.Sprintf("is %q, as of a button before (%s:%d)", a.action, o.File, o.Line), "give each action to one button")
			} else if a.action != "" {
				does[a.action] = a.key
			}
		}
	}
	k.togetherWith(does)
}

func (k *checker) button(path string, b *Button, names map[string]bool) {
	if b.Name == "" && !k.given(path+".name") {
		b.Name = string(b.Action)
		if b.Name == "" {
			b.Name = string(b.LongPress)
		}
	}
	if b.Action == "" && b.LongPress == "" {
		k.missing(path+".action", "add %s = "+quotedList(actions()))
	} else if k.id(path+".name", b.Name) && names[b.Name] {
		k.fail(path+".name", fmt.Sprintf("is %q, as of a reader, the scale or a button before", b.Name), "give each device a name of its own")
	}
	names[b.Name] = true
	k.pin(path+".pin", &b.Pin)
	if b.Debounce <= 0 || b.Debounce > maxDebounce {
		k.fail(path+".debounce", fmt.Sprintf("is %s; a contact rests for more than 0s and at most %s", b.Debounce, maxDebounce), `write "25ms", or remove it`)
	}
}

// togetherWith checks that no action leads nowhere; does has the key of each.
func (k *checker) togetherWith(does map[Action]string) {
	if k.partial {
		return
	}
	var chooses bool
	for a := range does {
		chooses = chooses || a.Option() > 0
	}
	next, shows := does[ActionNext]
	confirm, takes := does[ActionConfirm]
	call, calls := does[ActionCall]
	_, cancels := does[ActionCancel]
	if shows && !takes {
		k.fail(next, "shows the options of CHOOSE, but no button takes one", `add a [[button]] with action = "confirm"`)
	}
	if takes && !shows && !chooses {
		k.fail(confirm, "takes the option that is shown, but no button shows one", `add a [[button]] with action = "next"`)
	}
	if calls && !cancels && len(k.p.Badges) == 0 {
		k.fail(call, "calls for help, but nothing at the station ends the call", `add a [[button]] with action = "cancel", or [badges]`)
	}
}

// Actions returns what the buttons of the station do, each action once.
func (p Profile) Actions() []Action {
	var all []Action
	for _, b := range p.Buttons {
		for _, a := range []Action{b.Action, b.LongPress} {
			if a != "" && !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}
