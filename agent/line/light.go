package line

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The words of a light. An empty word is a light that is dark.
const (
	TakenIn      = "TAKEN IN"
	Accepted     = "ACCEPTED"
	Completed    = "COMPLETED"
	Returned     = "RETURN"
	SetAside     = "SET ASIDE"
	WrongStation = "WRONG STATION"
	Wait         = "WAIT"
	InConflict   = "IN CONFLICT"
	Choose       = "CHOOSE"
	UnknownTag   = "UNKNOWN TAG"
	AlreadyDone  = "ALREADY DONE"
	TagInUse     = "TAG IN USE"
	LiftAgain    = "LIFT AND SCAN AGAIN"
	ReaderDown   = "READER DOWN"
	ReaderBack   = "READER BACK"
	OnShift      = "ON SHIFT"
	OffShift     = "OFF SHIFT"
	BadgeRefused = "BADGE REFUSED"
	Fault        = "FAULT"
	Ready        = "READY"
	ScanNow      = "CAN BE SCANNED NOW"
	ScanAgain    = "SCAN AGAIN"
	ScanFirst    = "SCAN FIRST"
	Entered      = "ENTERED"
	Cancelled    = "CANCELLED"
	Unreadable   = "UNREADABLE TAG"
)

func words() []string {
	return []string{
		TakenIn, Accepted, Completed, Returned, SetAside, WrongStation, Wait, InConflict, Choose, UnknownTag,
		AlreadyDone, TagInUse, LiftAgain, ReaderDown, ReaderBack, OnShift, OffShift, BadgeRefused,
		Fault, Ready, ScanNow, ScanAgain, ScanFirst, Entered, Cancelled, Unreadable,
	}
}

// Light is one signal of a station's light, as its people saw it.
type Light struct {
	Gateway string
	At      time.Time // when it was seen
	Shown   time.Time // when it was shown, by the gateway's clock
	Aspect  string    // IDLE, GREEN, AMBER, RED, FAULT
	Word    string    // one of the words; empty: dark
	Tag     string    // that it speaks of; empty: none
	Text    string    // all that it says
}

// ParseLight reads one line of a light of lines: time, aspect, text. Gateway and
// At are left to the caller.
func ParseLight(line string) (Light, error) {
	stamp, rest, _ := strings.Cut(line, " ")
	shown, err := time.Parse("2006-01-02T15:04:05.000Z", stamp)
	if err != nil {
		return Light{}, fmt.Errorf("light: line %.80q does not begin with a time: %w", line, err)
	}
	l := Light{Shown: shown}
	l.Aspect, l.Text, _ = strings.Cut(rest, " ")
	if !slices.Contains([]string{"IDLE", "GREEN", "AMBER", "RED", "FAULT"}, l.Aspect) {
		return Light{}, fmt.Errorf("light: line %.80q: aspect %q is unknown", line, l.Aspect)
	}
	for _, w := range words() {
		if after, ok := strings.CutPrefix(l.Text, w); ok && (after == "" || after[0] == ' ') && len(w) > len(l.Word) {
			l.Word = w
		}
	}
	if l.Word == "" && l.Text != "" {
		return Light{}, fmt.Errorf("light: line %.80q begins with none of the words", line)
	}
	head, _, _ := strings.Cut(l.Text, ":")
	if _, tag, ok := strings.Cut(head, " tag "); ok {
		l.Tag, _, _ = strings.Cut(tag, " ")
	}
	return l, nil
}

// Notice reports whether the light only adds to the words of the light before it:
// that another item can be scanned now, that its tag carries no note, or is read only
// now and then.
func (l Light) Notice() bool {
	return l.says("; "+ScanNow+" ") || l.says("; no note is on the tag: ") || l.says("; hold it closer to ")
}

// OnTag reports whether the light goes by the hand-off note on the tag.
func (l Light) OnTag() bool { return l.says(" ON TAG ") }

// Claims reports whether the light says that the ledger has a record: what it
// names must be found in every replica.
func (l Light) Claims() bool {
	if l.Notice() {
		return false
	}
	switch l.Word {
	case TakenIn, Accepted, Completed, Returned, SetAside:
		return true
	}
	return false
}

// says reports whether the light's text has the words.
func (l Light) says(words string) bool { return strings.Contains(l.Text, words) }

var (
	sent    = regexp.MustCompile(`Take it (?:back )?to ([^.;]*)`)
	missing = regexp.MustCompile(`(\d+) × ([!-~]+?)[,.;:]?(?: |$)`)
)

// Next returns the stations or work centres that the light sends the item to.
func (l Light) Next() []string {
	m := sent.FindStringSubmatch(l.Text)
	if m == nil {
		return nil
	}
	var places []string
	for _, place := range strings.Split(m[1], " or ") {
		place, _, _ = strings.Cut(strings.TrimSpace(place), " ")
		if place != "" && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return places
}

// Missing returns the parts that the light asks for: a product for each piece.
func (l Light) Missing() []string {
	var products []string
	for _, m := range missing.FindAllStringSubmatch(l.Text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 64 {
			continue
		}
		for range n {
			products = append(products, m[2])
		}
	}
	return products
}
