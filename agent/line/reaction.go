package line

import "slices"

// move is what a person does after a light.
type move int

const (
	again  move = iota // lift, and scan again in a moment
	stay               // leave it on the reader: the light will change by itself
	work               // it is in work here: do it, then scan again
	carry              // take it where the light says
	tap                // tap the badge, then scan again
	fetch              // scan the parts that are missing, then this again
	aside              // give it to quality
	done               // its history has ended
	shelve             // put it back and try again later
)

// react is how a person at here answers a light about an item. told is where the
// light before sent it: two lights that contradict each other mean that news is
// under way, so the item waits. doubts counts how often it has waited so; a light
// that says ALREADY DONE is believed in the end, as its words may be the answer
// to a scan whose light was lost.
func react(l Light, here Place, told []string, doubts int) move {
	meant := slices.ContainsFunc(told, here.serves)
	switch l.Word {
	case TakenIn, Completed, Returned:
		if len(l.Next()) == 0 {
			return done
		}
		return carry
	case Accepted:
		if l.says("then this item again") {
			return fetch
		}
		return work
	case SetAside:
		return aside
	case WrongStation:
		if meant || len(l.Next()) == 0 {
			return shelve
		}
		return carry
	case AlreadyDone:
		switch {
		case len(l.Next()) == 0:
			return done
		case meant && doubts < mostDoubts:
			return shelve
		}
		return carry
	case Wait:
		return wait(l)
	case InConflict:
		return aside
	case LiftAgain, ScanNow, ScanAgain, ReaderDown, Fault:
		return again
	}
	return shelve
}

// mostDoubts is how often ALREADY DONE is doubted.
const mostDoubts = 4

// wait is what a person does who reads WAIT.
func wait(l Light) move {
	for _, x := range []struct {
		words string
		do    move
	}{
		{"leave the tag on the reader", stay},
		{"until the light changes", stay},
		{"Leave the item here until", stay},
		{"Tap your badge", tap},
		{"Scan the missing parts", fetch},
		{"scale", again},
		{"until quality has ruled", aside},
	} {
		if l.says(x.words) {
			return x.do
		}
	}
	return shelve
}
