package dialogue

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"traveler.example/agent"
	"traveler.example/agent/mqtt"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// network founds a network and starts its gateways, each named and, with colons,
// described: intake (takes items in), portal (one scan does both), scale, off
// (not started), in-CENTRE, at-STATION, unassigned (the roster does not give it to
// the gateway). What intakes take items in for, makes= says.
func (s *scene) network(c *command) error {
	if s.words != nil {
		return fmt.Errorf("there is a network already")
	}
	witnesses := c.list("witnesses")
	if c.option("notes", "no") == "yes" {
		s.tags = &memory{notes: map[string][]byte{}}
	}
	s.operators = c.list("operators")
	makes := c.list("makes")
	if makes == nil {
		makes = []string{"WO-1"}
	}
	var err error
	s.genesis, err = ledger.NewGenesis(ledger.Genesis{
		Name: "dialogue", Time: time.Now().UnixMilli(), Threshold: 1, Recovery: publicKey("recovery"),
		Admins: []ledger.Admin{{Name: admin, Key: publicKey(admin)}},
	})
	if err != nil {
		return err
	}
	s.words = newWords(s.genesis.Network())
	changes := []ledger.Change{s.person(planner, ledger.RolePlanner), s.person(quality, ledger.RoleQuality)}
	for _, name := range s.operators {
		changes = append(changes, s.person(name, ledger.RoleOperator))
	}
	var off []string
	for _, word := range c.args {
		b, started, err := s.describe(word, makes)
		if err != nil {
			return err
		}
		if !started {
			off = append(off, b.place.name)
		}
		roles := ledger.RoleGateway
		if witnesses == nil || slices.Contains(witnesses, b.place.name) {
			roles |= ledger.RoleWitness
		}
		changes = append(changes, s.person(b.place.name, roles))
		if !b.place.unassigned {
			changes = append(changes, b.assignment())
		}
	}
	first, err := s.signed(nil, changes, identity(admin))
	if err != nil {
		return err
	}
	for _, b := range s.boards {
		if err := b.open([]replica.Object{first}); err != nil {
			return err
		}
		if slices.Contains(off, b.place.name) {
			continue
		}
		if err := b.start(); err != nil {
			return err
		}
	}
	s.pass(10 * time.Second)
	return nil
}

func (s *scene) person(name string, roles ledger.Role) ledger.Change {
	k := publicKey(name)
	s.words.names[k.ID()] = name
	return ledger.Change{Kind: ledger.ChangeEnrol, Name: name, Key: k, Roles: roles}
}

// describe makes a board from a word such as drill-1:in-drilling:scale.
func (s *scene) describe(word string, makes []string) (b *board, started bool, err error) {
	name, rest, _ := strings.Cut(word, ":")
	if slices.ContainsFunc(s.boards, func(o *board) bool { return o.place.name == name }) {
		return nil, false, fmt.Errorf("two gateways are called %s", name)
	}
	b = &board{scene: s, number: len(s.boards), key: name, id: publicKey(name).ID()}
	b.place = place{name: name, station: name, mode: ledger.ModeInOut}
	started = true
	for trait := range strings.SplitSeq(rest, ":") {
		centre, isCentre := strings.CutPrefix(trait, "in-")
		station, isStation := strings.CutPrefix(trait, "at-")
		switch {
		case trait == "":
		case trait == "intake":
			b.place.intake, b.place.mode = true, ledger.ModeIntake
			b.place.makes = intakeRules(makes)
		case trait == "portal":
			b.place.mode = ledger.ModePortal
		case trait == "scale":
			b.scale = &scale{}
		case trait == "unassigned":
			b.place.unassigned = true
		case trait == "off":
			started = false
		case isCentre:
			b.place.centre = centre
		case isStation:
			b.place.station = station
		default:
			return nil, false, fmt.Errorf("gateway %s: %q is none of intake, portal, scale, off, unassigned, in-CENTRE, at-STATION", name, trait)
		}
	}
	s.boards = append(s.boards, b)
	s.words.names[b.id] = name
	return b, started, nil
}

// intakeRules say what items are made for: an order, or for tags that begin with
// a prefix PREFIX/ORDER.
func intakeRules(makes []string) (rules agent.IntakeRules) {
	for _, m := range makes {
		if prefix, order, ok := strings.Cut(m, "/"); ok {
			rules = append(rules, agent.IntakeRule{TagPrefix: prefix, Order: order})
		} else {
			rules = append(rules, agent.IntakeRule{Order: m})
		}
	}
	return rules
}

func (b *board) assignment() ledger.Change {
	as := ledger.Change{Kind: ledger.ChangeAssign, Subject: b.id, Station: b.place.station, WorkCentre: b.place.centre}
	if b.place.intake {
		as.Intake = 1
	}
	return as
}

// signed makes a statement that builds on the heads given.
func (s *scene) signed(on []ledger.Hash, changes []ledger.Change, signers ...crypto.Signer) (ledger.Statement, error) {
	st, err := ledger.SignStatement(s.genesis.Network(), ledger.Statement{BuildsOn: on, Changes: changes, Time: time.Now().UnixMilli()}, signers...)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.words.state(st)
	}
	return st, err
}

// state has an admin sign changes on all that a gateway knows, and hands the
// statement to that gateway. What it refuses is said.
func (s *scene) state(c *command, changes []ledger.Change, signers ...crypto.Signer) error {
	b, err := s.running(s.where(c))
	if err != nil {
		return err
	}
	st, err := s.signed(b.replica.Register().Heads(), changes, signers...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	var says []string
	for _, ch := range st.Changes {
		says = append(says, s.words.change(ch))
	}
	s.out = append(s.out, fmt.Sprintf("%s   takes   %s [%s]", pad(b.place.name, s.width(0)), s.words.state(st), strings.Join(says, "; ")))
	s.mu.Unlock()
	return s.refusal(b, s.await(func(ctx context.Context) error { return b.life.agent.Desk().Enrol(ctx, st.Raw()) }))
}

// where is the gateway at which something is handed in; at first the first one.
func (s *scene) where(c *command) string { return c.option("at", s.boards[0].place.name) }

// refusal writes down what a gateway answers to a person whom it refuses.
func (s *scene) refusal(b *board, err error) error {
	if err != nil {
		s.print("%s   refuses %s", pad(b.place.name, s.width(0)), s.words.plain(err.Error()))
	}
	return nil
}

// enrol lets somebody in: a person by roles=, or a gateway, described as in
// network, whose board is not started yet.
func (s *scene) enrol(c *command) error {
	name, _, _ := strings.Cut(c.args[0], ":")
	if roles := c.list("roles"); roles != nil {
		var all ledger.Role
		for _, r := range roles {
			role, err := ledger.ParseRole(r)
			if err != nil {
				return err
			}
			all |= role
		}
		return s.state(c, []ledger.Change{s.person(name, all)}, identity(admin))
	}
	b, _, err := s.describe(c.args[0], []string{"WO-1"})
	if err != nil {
		return err
	}
	return s.state(c, []ledger.Change{s.person(name, ledger.RoleGateway|ledger.RoleWitness), b.assignment()}, identity(admin))
}

func (s *scene) assign(c *command) error {
	b, err := s.board(c.args[1])
	if err != nil {
		return err
	}
	return s.state(c, []ledger.Change{{Kind: ledger.ChangeAssign, Subject: b.id, Station: c.args[0]}}, identity(admin))
}

// revoke takes a key out of the roster; after= names the heads up to which its
// blocks count.
func (s *scene) revoke(c *command) error {
	ch := ledger.Change{Kind: ledger.ChangeRevoke, Subject: publicKey(c.args[0]).ID()}
	if s.words.names[ch.Subject] == "" {
		return fmt.Errorf("nobody is called %q", c.args[0])
	}
	for _, name := range c.list("after") {
		h, err := s.hashOf(name)
		if err != nil {
			return err
		}
		ch.Heads = append(ch.Heads, h)
	}
	slices.SortFunc(ch.Heads, func(a, b ledger.Hash) int { return slices.Compare(a[:], b[:]) })
	return s.state(c, []ledger.Change{ch}, identity(admin))
}

// hashOf finds a block by its name on the page.
func (s *scene) hashOf(name string) (ledger.Hash, error) {
	for h, n := range s.words.blocks {
		if n == name {
			return h, nil
		}
	}
	return ledger.Hash{}, fmt.Errorf("nobody has seen block %q", name)
}

func codeOf(name string) string { return "one-time code for " + name }

// ticket prepares the enrolment of a board that still has to make its key.
func (s *scene) ticket(c *command) error {
	name, _, _ := strings.Cut(c.args[0], ":")
	b, _, err := s.describe(c.args[0], []string{"WO-1"})
	if err != nil {
		return err
	}
	code := publicKey(codeOf(name))
	s.words.names[code.ID()] = "the code for " + name
	return s.state(c, []ledger.Change{{
		Kind: ledger.ChangeTicket, Name: name, Key: code, Roles: ledger.RoleGateway | ledger.RoleWitness,
		Station: b.place.station, WorkCentre: b.place.centre,
	}}, identity(admin))
}

// redeem has a board that knows the code of a ticket make its key and redeem it;
// key= makes another one, as a second board that knows the code would.
func (s *scene) redeem(c *command) error {
	b, err := s.board(c.args[0])
	if err != nil {
		return err
	}
	key := c.option("key", b.key)
	k := publicKey(key)
	s.words.names[k.ID()] = key
	return s.state(c, []ledger.Change{{Kind: ledger.ChangeRedeem, Subject: publicKey(codeOf(c.args[0])).ID(), Key: k}},
		identity(codeOf(c.args[0])), identity(key))
}

// start switches a board on. One that was not there at the beginning comes with
// the roster statements that a gateway (from=) holds, or with genesis alone.
func (s *scene) start(c *command) error {
	b, err := s.board(c.args[0])
	if err != nil {
		return err
	}
	if b.life != nil {
		return fmt.Errorf("%s runs already", c.args[0])
	}
	if from := c.option("from", ""); b.replica == nil {
		var objects []replica.Object
		if from != "" {
			other, err := s.board(from)
			if err != nil {
				return err
			}
			for _, st := range other.replica.Register().Statements() {
				objects = append(objects, st)
			}
		}
		if err := b.open(objects); err != nil {
			return err
		}
	}
	return b.start()
}

func (s *scene) halt(c *command, struck bool) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	return b.stop(struck)
}

func (s *scene) keep(c *command) error {
	b, err := s.board(c.args[0])
	if err == nil {
		b.backup = b.holds()
	}
	return err
}

// restore strikes a gateway down, gives it a card with its last backup and
// leaves it off.
func (s *scene) restore(c *command) error {
	b, err := s.board(c.args[0])
	if err != nil {
		return err
	}
	if b.backup == nil {
		return fmt.Errorf("there is no backup of %s", c.args[0])
	}
	if b.life != nil {
		if err := b.stop(true); err != nil {
			return err
		}
	}
	if err := b.replica.Close(); err != nil {
		return err
	}
	return b.open(b.backup)
}

func peerMessage(topic string, payload []byte) mqtt.Message {
	return mqtt.Message{Topic: topic, Payload: payload}
}

// secondBlock makes another block at a height of an author's chain.
func (s *scene) secondBlock(author *board, height string) ([]byte, error) {
	h, err := strconv.ParseUint(height, 10, 64)
	if err != nil || h == 0 {
		return nil, fmt.Errorf("height %q is no height", height)
	}
	d := ledger.Draft{Prev: ledger.GenesisMark(s.genesis.Network(), author.id), Time: time.Now().UnixMilli()}
	marks := map[ledger.Hash]ledger.Mark{d.Prev.Ref.Hash: d.Prev}
	err = author.replica.Read(func(v *replica.View) error {
		for b, err := range v.Chain(author.id, 1) {
			if err != nil {
				return err
			}
			m := ledger.MarkOf(b.UnverifiedBlock)
			marks[m.Ref.Hash] = m
			if b.Header().Height == h-1 {
				d.Prev = m
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if d.Prev.Ref.Height != h-1 {
		return nil, fmt.Errorf("%s/%d is not held by %s", author.place.name, h-1, author.place.name)
	}
	d.Skip, err = ledger.SkipFrom(d.Prev, func(x ledger.Hash) (ledger.Mark, bool) { m, ok := marks[x]; return m, ok })
	if err != nil {
		return nil, err
	}
	if d.Roster, err = author.replica.Register().Cite(nil); err != nil {
		return nil, err
	}
	block, err := ledger.Seal(s.genesis.Network(), identity(author.key), d)
	return block.Raw(), err
}
