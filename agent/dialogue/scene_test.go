package dialogue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"traveler.example/ledger"
)

// The people of every network.
const (
	admin   = "ada"
	planner = "paula"
	quality = "quinn"
)

func badgeOf(operator string) string { return "BADGE-" + operator }

// scene is what one page plays in: a network of gateways, its people and its
// broker.
type scene struct {
	genesis   ledger.Genesis
	boards    []*board
	operators []string
	words     *words
	show      map[string]bool // kinds of lines left out (false) or shown
	holding   bool            // messages arrive when the page says so
	resting   bool            // lights that go idle are said
	tags      *memory         // nil: no tag holds anything but its id
	stirred   chan struct{}

	mu     sync.Mutex
	broker broker
	lines  []line
	out    []string
}

// source orders what one gateway does in one instant.
type source int

const (
	sealedHere source = iota
	shown
	written
	published
)

// line is something that a gateway did.
type line struct {
	at     time.Time
	board  *board
	source source
	text   func() (to, text string)
}

func newScene() *scene {
	return &scene{
		show: map[string]bool{}, stirred: make(chan struct{}, 1),
		broker: broker{apart: map[*board]bool{}},
	}
}

// stir wakes the scene up: there is something to pass on.
func (s *scene) stir() {
	select {
	case s.stirred <- struct{}{}:
	default:
	}
}

func (s *scene) say(b *board, from source, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sayLocked(b, from, func() (string, string) { return "", text })
}

// sayLocked adds a line whose words are found when its turn has come.
func (s *scene) sayLocked(b *board, from source, text func() (string, string)) {
	s.lines = append(s.lines, line{time.Now(), b, from, text})
}

// rest waits until nothing moves in this instant, and writes down what was done.
func (s *scene) rest() {
	synctest.Wait()
	for _, b := range s.boards {
		if b.replica != nil {
			b.notice()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.lines, func(a, b line) int {
		return cmp.Or(a.at.Compare(b.at), a.board.index()-b.board.index(), int(a.source-b.source))
	})
	for _, l := range s.lines {
		s.write(l)
	}
	s.lines = nil
	s.broker.sort()
}

// write puts a line in its columns, if lines of its kind are shown.
func (s *scene) write(l line) {
	to, text := l.text()
	kind, _, _ := strings.Cut(text, " ")
	what := ""
	switch l.source {
	case sealedHere:
		kind, what = "seals", "  seals"
	case shown:
		what = "  light"
		if kind == "IDLE" && !s.resting && strings.TrimSpace(text) == "IDLE" {
			return
		}
		kind, text = "light", s.words.plain(text)
	case written:
		what = "  journal"
		kind, _, _ = strings.Cut(text, ".")
		text = s.words.plain(text)
	case published:
		what = "→ " + to
	}
	if shows, said := s.show[kind]; said && !shows || !said && slices.Contains([]string{"status", "frontier", "scan", "badge"}, kind) {
		return
	}
	s.out = append(s.out, strings.TrimRight(fmt.Sprintf("%s %s %s", pad(l.board.place.name, s.width(0)), pad(what, max(s.width(2), 9)), text), " "))
}

// width is that of the longest name of a gateway, and more.
func (s *scene) width(more int) int {
	w := 0
	for _, b := range s.boards {
		w = max(w, utf8.RuneCountInString(b.place.name)+more)
	}
	return w
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// pass lets time pass; messages are passed on one by one, a millisecond each.
func (s *scene) pass(d time.Duration) {
	for end := time.Now().Add(d); ; {
		s.rest()
		if f, ok := s.first(); ok {
			time.Sleep(time.Millisecond)
			s.rest()
			s.arrive(f)
			continue
		}
		left := time.Until(end)
		if left <= 0 {
			return
		}
		select {
		case <-s.stirred:
		case <-time.After(left):
		}
	}
}

// first takes the next message on its way; none while they are held back.
func (s *scene) first() (flight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holding || len(s.broker.flying) == 0 {
		return flight{}, false
	}
	f := s.broker.flying[0]
	s.broker.flying = s.broker.flying[1:]
	return f, true
}

func (s *scene) arrive(f flight) {
	s.mu.Lock()
	f.arrive()
	s.mu.Unlock()
	s.rest()
}

// taken returns the lines written since it was called last.
func (s *scene) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.out
	s.out = nil
	return out
}

// await runs what a person asks of a gateway, while time passes.
func (s *scene) await(ask func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- ask(context.Background()) }()
	for range 100 {
		s.pass(10 * time.Millisecond)
		select {
		case err := <-done:
			return err
		default:
		}
	}
	return errors.Join(errors.New("no answer after a second"), <-done)
}

// board returns the gateway of that name.
func (s *scene) board(name string) (*board, error) {
	i := slices.IndexFunc(s.boards, func(b *board) bool { return b.place.name == name })
	switch {
	case len(s.boards) == 0:
		return nil, errors.New("there is no network yet")
	case i < 0:
		return nil, fmt.Errorf("there is no gateway %q", name)
	}
	return s.boards[i], nil
}

// running returns the gateway of that name, which runs.
func (s *scene) running(name string) (*board, error) {
	b, err := s.board(name)
	if err == nil && b.life == nil {
		err = fmt.Errorf("%s does not run", name)
	}
	return b, err
}

// close ends all that runs.
func (s *scene) close() {
	for _, b := range s.boards {
		if b.life != nil {
			_ = b.stop(true)
		}
		if b.replica != nil {
			_ = b.replica.Close()
		}
	}
}

// ended reports a gateway that ended by itself.
func (s *scene) ended() error {
	for _, b := range s.boards {
		if b.life == nil {
			continue
		}
		select {
		case <-b.life.ended:
			return fmt.Errorf("%s has ended: %w", b.place.name, b.life.err)
		default:
		}
	}
	return nil
}
