package drivers

import (
	"errors"
	"fmt"
)

// Sentinel errors of trouble in the field, beside [ErrBusy], [ErrUnplugged] and
// [ErrSilent]. Each asks for another remedy, so that whoever reads of one knows
// what to do.
var (
	// ErrSpeed: the device speaks, at another speed than the port is set to.
	ErrSpeed = errors.New("device speaks at another speed")
	// ErrOther: a device answers that is not the one that the profile names.
	ErrOther = errors.New("another device answers")
	// ErrForgot: the device answers and had lost its settings: it slept, or its
	// supply blinked.
	ErrForgot = fmt.Errorf("%w: it had lost its settings", ErrProtocol)
	// ErrNeighbour: a tag is read that belongs to somebody else, as far as the
	// filter can tell. It is no session and never becomes an item.
	ErrNeighbour = errors.New("a neighbour's tag")
	// ErrWeak: a tag is seen only now and then. The event names it.
	ErrWeak = errors.New("tag is read only now and then")
)
