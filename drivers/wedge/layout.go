package wedge

import (
	"fmt"
	"unicode"
)

// Layout is the keyboard layout that a reader is set to. It has to be the
// reader's own: keys have no letters, so another one makes other codes.
type Layout string

// The layouts.
const (
	US Layout = "us"
	DE Layout = "de"
	FR Layout = "fr"
)

// Keys that are no characters (linux/input-event-codes.h).
const (
	keyTab        = 15
	keyEnter      = 28
	keyLeftCtrl   = 29
	keyLeftShift  = 42
	keyRightShift = 54
	keyLeftAlt    = 56
	keySpace      = 57
	keyCapsLock   = 58
	keyNumLock    = 69
	keyScrollLock = 70
	keyKeypadEnd  = 96 // Enter of the keypad
	keyRightCtrl  = 97
	keyRightAlt   = 100 // AltGr
	keyLeftMeta   = 125
	keyRightMeta  = 126
)

// key is what one key writes: by itself, with Shift and with AltGr; 0 is
// nothing.
type key struct {
	plain, shift, altGr rune
	// dead: an accent that waits for the letter it stands on. Space makes it a
	// character of its own, which is how readers write it.
	dead string
}

// letter reports whether Caps Lock acts as Shift on the key.
func (k key) letter() bool {
	return k.shift != k.plain && unicode.ToUpper(k.plain) == k.shift
}

// keyboard is the keys of a layout by their codes.
type keyboard map[uint16]key

// row adds the keys of one row, from the code of its first. A space stands for
// nothing.
func (b keyboard) row(code uint16, plain, shift, altGr string) {
	runes := [3][]rune{[]rune(plain), []rune(shift), []rune(altGr)}
	at := func(level, i int) rune {
		if i >= len(runes[level]) || runes[level][i] == ' ' {
			return 0
		}
		return runes[level][i]
	}
	for i := range runes[0] {
		b[code+uint16(i)] = key{plain: at(0, i), shift: at(1, i), altGr: at(2, i)}
	}
}

func (b keyboard) dead(code uint16, accents string) {
	k := b[code]
	k.dead = accents
	b[code] = k
}

// newKeyboard returns the keys of a layout, as xkeyboard-config's basic variant
// of it has them. The keypad writes digits always: Num Lock is a matter of the
// host, and readers that use the keypad mean digits.
func newKeyboard(l Layout) (keyboard, error) {
	b := keyboard{keySpace: {plain: ' ', shift: ' ', altGr: ' '}}
	b.row(55, "*", "*", "")
	b.row(71, "789-456+1230.", "789-456+1230.", "")
	b.row(98, "/", "/", "")
	switch l {
	case US:
		b.row(2, "1234567890-=", "!@#$%^&*()_+", "")
		b.row(16, "qwertyuiop[]", "QWERTYUIOP{}", "")
		b.row(30, "asdfghjkl;'`", `ASDFGHJKL:"~`, "")
		b.row(43, `\`, "|", "")
		b.row(44, "zxcvbnm,./", "ZXCVBNM<>?", "")
		b.row(86, "<", ">", "")
	case DE:
		b.row(2, "1234567890ß´", "!\"§$%&/()=?`", " ²³   {[]}\\")
		b.row(16, "qwertzuiopü+", "QWERTZUIOPÜ*", "@ €        ~")
		b.row(30, "asdfghjklöä^", "ASDFGHJKLÖÄ°", "")
		b.row(43, "#", "'", "")
		b.row(44, "yxcvbnm,.-", "YXCVBNM;:_", "      µ")
		b.row(83, ",", ",", "")
		b.row(86, "<", ">", "|")
		b.dead(13, "´`")
		b.dead(41, "^")
	case FR:
		b.row(2, `&é"'(-è_çà)=`, "1234567890°+", " ~#{[|`\\^@]}")
		b.row(16, "azertyuiop^$", "AZERTYUIOP¨£", "  €        ¤")
		b.row(30, "qsdfghjklmù²", "QSDFGHJKLM% ", "")
		b.row(43, "*", "µ", "")
		b.row(44, "wxcvbn,;:!", "WXCVBN?./§", "")
		b.row(86, "<", ">", "")
		b.dead(26, "^¨")
	default:
		return nil, fmt.Errorf("no layout %q, there are: us de fr", l)
	}
	return b, nil
}
