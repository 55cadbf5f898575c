package dialogue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"traveler.example/agent"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// verb is what a page may say: how its words are called, and what it does.
type verb struct {
	usage string // words beside options; with … any number of the last
	do    func(*scene, *command) error
}

// verbs returns all that a page may say.
func verbs() map[string]verb {
	return map[string]verb{
		"network": {"GATEWAY …", (*scene).network},
		"show":    {"KIND …", (*scene).shows},
		"advance": {"TIME", (*scene).advance},

		"scan":   {"GATEWAY TAG", (*scene).scan},
		"put":    {"GATEWAY TAG", func(s *scene, c *command) error { return s.move(c, true) }},
		"lift":   {"GATEWAY TAG", func(s *scene, c *command) error { return s.move(c, false) }},
		"badge":  {"GATEWAY OPERATOR", (*scene).badge},
		"weigh":  {"GATEWAY WEIGHT", (*scene).weigh},
		"enter":  {"GATEWAY ITEM", (*scene).enter},
		"choose": {"GATEWAY ITEM", (*scene).choose},

		"order":    {"ORDER", (*scene).order},
		"cancel":   {"ORDER", (*scene).cancel},
		"dispose":  {"ITEM RULING REASON", (*scene).dispose},
		"bind":     {"ITEM TAG", (*scene).bind},
		"withdraw": {"GATEWAY ITEM REASON", (*scene).withdraw},
		"amend":    {"GATEWAY ITEM REASON", (*scene).amend},
		"carry":    {"GATEWAY ORDER", (*scene).carry},
		"copy":     {"TAG TAG", (*scene).copyNote},
		"tear":     {"TAG", (*scene).tearNote},

		"enrol":  {"NAME", (*scene).enrol},
		"assign": {"STATION NAME", (*scene).assign},
		"revoke": {"NAME", (*scene).revoke},
		"ticket": {"NAME", (*scene).ticket},
		"redeem": {"NAME", (*scene).redeem},

		"start":   {"GATEWAY", (*scene).start},
		"stop":    {"GATEWAY", func(s *scene, c *command) error { return s.halt(c, false) }},
		"strike":  {"GATEWAY", func(s *scene, c *command) error { return s.halt(c, true) }},
		"backup":  {"GATEWAY", (*scene).keep},
		"restore": {"GATEWAY", (*scene).restore},
		"forge":   {"AUTHOR HEIGHT", (*scene).forge},

		"cut":       {"GATEWAY …", (*scene).cut},
		"part":      {"GATEWAY …", (*scene).part},
		"heal":      {"…", (*scene).heal},
		"hold":      {"", func(s *scene, _ *command) error { s.holding = true; return nil }},
		"flow":      {"", func(s *scene, _ *command) error { s.holding = false; return nil }},
		"flying":    {"", (*scene).flyingNow},
		"deliver":   {"FROM TO", func(s *scene, c *command) error { return s.deliver(c, true, false) }},
		"duplicate": {"FROM TO", func(s *scene, c *command) error { return s.deliver(c, true, true) }},
		"drop":      {"FROM TO", func(s *scene, c *command) error { return s.deliver(c, false, false) }},

		"item":      {"ITEM", (*scene).item},
		"roster":    {"", (*scene).roster},
		"confirmed": {"", (*scene).confirmed},
		"evidence":  {"", (*scene).evidence},
		"same":      {"", (*scene).same},
		"waiting":   {"", (*scene).waiting},
	}
}

// pace is how long a person takes from one act to the next.
const pace = 3 * time.Second

// do carries out one command, lets time pass and returns what came of it.
func (s *scene) do(c *command) ([]string, error) {
	v, ok := verbs()[c.name]
	if !ok {
		return nil, fmt.Errorf("there is no command %q", c.name)
	}
	words := strings.Fields(v.usage)
	if n := len(c.args); n != len(words) && (!strings.HasSuffix(v.usage, "…") || n < len(words)-1) {
		return nil, fmt.Errorf("%s: %d words are given", strings.TrimSpace(c.name+" "+v.usage), n)
	}
	if s.words == nil && c.name != "network" {
		return nil, fmt.Errorf("there is no network yet")
	}
	wait, err := duration("in", c.option("in", pace.String()))
	if err != nil {
		return nil, err
	}
	if c.name == "advance" {
		wait = 0
	}
	if err := v.do(s, c); err != nil {
		return s.taken(), err
	}
	if err := c.finished(); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"item", "roster", "confirmed", "evidence", "same", "waiting", "hold", "flow", "flying", "show"}, c.name) || c.name == "flow" {
		s.pass(wait)
	}
	return s.taken(), nil
}

func duration(key, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s=%q: a time has a unit, as 5s", key, text)
	}
	return d, nil
}

// print adds a line of the page's own.
func (s *scene) print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, fmt.Sprintf(format, args...))
}

func (s *scene) shows(c *command) error {
	kinds := []string{"seals", "light", "idle", "block", "frontier", "ask", "give", "status", "roster", "evidence", "scan", "badge", "broker", "gateway", "item", "order", "peer"}
	for _, k := range c.args {
		kind := strings.TrimPrefix(k, "-")
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("%q is no kind of line", kind)
		}
		if kind == "idle" {
			s.resting = kind == k
		}
		s.show[kind] = kind == k
	}
	return nil
}

func (s *scene) advance(c *command) error {
	d, err := duration("advance", c.args[0])
	if err == nil {
		s.pass(d)
	}
	return err
}

// scan is a tap: the tag lies on the reader for a second.
func (s *scene) scan(c *command) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	if !b.reader.move(c.args[1], true) {
		return fmt.Errorf("%s lies on the reader of %s already", c.args[1], c.args[0])
	}
	wait, err := duration("in", c.option("in", pace.String()))
	s.pass(min(wait, time.Second))
	b.reader.move(c.args[1], false)
	return err
}

func (s *scene) move(c *command, on bool) error {
	b, err := s.running(c.args[0])
	if err == nil && !b.reader.move(c.args[1], on) {
		err = fmt.Errorf("%s: the reader of %s has %v", c.args[1], c.args[0], b.reader.lying)
	}
	return err
}

func (s *scene) badge(c *command) error {
	c.args[1] = badgeOf(c.args[1])
	return s.scan(c)
}

func (s *scene) weigh(c *command) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	if b.scale == nil {
		return fmt.Errorf("%s has no scale", c.args[0])
	}
	value, unit := splitUnit(c.args[1])
	w, err := drivers.ParseWeight(value, unit)
	if err != nil {
		return err
	}
	b.scale.load(w)
	return nil
}

// splitUnit parts a number from its unit.
func splitUnit(text string) (value, unit string) {
	i := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("+-.0123456789", r) })
	if i < 0 {
		return text, ""
	}
	return text[:i], text[i:]
}

// measurements are the options of a command that no other use was found for.
func measurements(c *command, except ...string) ([]ledger.Measurement, error) {
	var out []ledger.Measurement
	for _, key := range slices.Sorted(maps.Keys(c.options)) {
		if slices.Contains(except, key) {
			continue
		}
		value, unit := splitUnit(c.option(key, ""))
		v, exponent, err := ledger.ParseDecimal(value)
		if err != nil || unit == "" {
			return nil, fmt.Errorf("%s=%q: a value has a unit, as 12.03mm", key, c.option(key, ""))
		}
		out = append(out, ledger.Measurement{Name: key, Value: v, Exponent: exponent, Unit: unit})
	}
	return out, nil
}

func (s *scene) enter(c *command) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	form := &ledger.Form{Failure: c.option("failed", ""), Note: c.option("note", "")}
	form.Failed = form.Failure != ""
	if form.Measurements, err = measurements(c, "failed", "note", "in"); err != nil {
		return err
	}
	return s.await(func(ctx context.Context) error {
		return b.life.agent.Desk().Operate(ctx, agent.OperatorWord{Item: c.args[1], Form: form})
	})
}

// choose answers CHOOSE; where two items are called alike, of= names the gateway
// that took it in.
func (s *scene) choose(c *command) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	id, of := "", c.option("of", "")
	err = b.replica.Read(func(v *replica.View) error {
		items, err := v.Label(c.args[1])
		for _, it := range items {
			if of == "" || s.words.name(it.Nodes[0].Sender) == of {
				id = it.ID.String()
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.await(func(ctx context.Context) error {
		return b.life.agent.Desk().Operate(ctx, agent.OperatorWord{Item: id})
	})
}
