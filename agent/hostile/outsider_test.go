package hostile

import (
	"fmt"
	"slices"

	"traveler.example/agent/peer"
	"traveler.example/ledger"
)

// attack is one way to speak the protocol wrongly, or too much.
type attack struct {
	name  string
	tries string // what it is after
	rate  int    // messages a second; 0: defaultRate
	// volley returns the n-th messages.
	volley func(f *foe, n int) []shot
	// run is the whole attack, where messages do not make it.
	run attackRun
}

// outsiders are the attacks of who reaches the broker and has no enrolled key.
var outsiders = []attack{
	{name: "junk", tries: "random bytes on every topic that gateways read", volley: func(f *foe, _ int) []shot {
		return f.everywhere(f.fill(make([]byte, f.random.IntN(400))))
	}},
	{name: "foreign topics", tries: "topics of no or another meaning, as long as MQTT allows", volley: func(f *foe, n int) []shot {
		prefix := f.topics.Roster()[:len(f.topics.Roster())-len("roster")]
		names := []string{"block/", "block/xyz", "blocks/" + f.target.id.String(), "status/" + f.target.id.String() + "/x", "roster/" + fmt.Sprint(n), "ask/" + string(longText('a', 60_000))}
		return []shot{{topic: prefix + names[n%len(names)], payload: []byte{0xa0}}}
	}},
	{name: "wrong shapes", tries: "CBOR that is canonical and no message", volley: func(f *foe, n int) []shot { return f.everywhere(shapes[n%len(shapes)]) }},
	{name: "oversize", tries: "payloads far above every limit", rate: 20, volley: func(f *foe, n int) []shot {
		return f.everywhere(make([]byte, 80<<10<<(n%3)))[n%8 : n%8+1]
	}},
	{name: "truncated", tries: "true messages without their end", volley: func(f *foe, _ int) []shot {
		return f.changed("", func(p []byte) []byte { return p[:f.random.IntN(len(p))] })
	}},
	{name: "bit flips", tries: "true messages with one bit changed", volley: func(f *foe, _ int) []shot {
		return f.changed("", func(p []byte) []byte { p[f.random.IntN(len(p))] ^= 1 << f.random.IntN(8); return p })
	}},
	{name: "replay", tries: "old true messages by the thousand", volley: func(f *foe, _ int) []shot {
		return f.changed("", func(p []byte) []byte { return p })
	}},
	{name: "stray topics", tries: "true messages on the topics of other gateways and channels", volley: func(f *foe, _ int) []shot {
		if s, ok := f.overheard(""); ok {
			return f.everywhere(s.payload)
		}
		return nil
	}},
	{name: "garbage signature", tries: "honest blocks whose signature is spoilt, before and after the true ones", volley: func(f *foe, _ int) []shot {
		return f.changed("block", func(p []byte) []byte {
			b, err := ledger.ParseBlock(f.net, p)
			if err != nil {
				return p
			}
			return f.respoilt(b).Raw()
		})
	}},
	{name: "blocks of strangers", tries: "well-formed blocks sealed with keys nobody enrolled, at height 2^47", volley: func(f *foe, _ int) []shot {
		key := f.newKey()
		author := must(ledger.PublicKeyOf(key)).ID()
		b := must(ledger.Seal(f.net, key, ledger.Draft{
			Prev: ledger.Mark{Ref: ledger.Ref{Author: author, Height: 1 << 47, Hash: f.hash()}}, Skip: f.hash(), Time: 1, Roster: f.cite,
		}))
		return []shot{{topic: f.topics.Block(author), payload: b.Raw()}}
	}},
	{name: "block without past", tries: "blocks in the name of honest gateways that link to nothing, height up to 2^48", volley: func(f *foe, n int) []shot {
		to := f.victim()
		at := uint64(1)<<(n%48) + 1
		header := ledger.Header{Version: 1, Author: to.id, Height: at, Prev: f.hash(), Skip: f.hash(), Time: 1, Roster: f.cite, Root: f.hash()}
		form := []any{canonical(header), f.fill(make([]byte, 64)), [][]byte{}}
		return []shot{{topic: f.topics.Block(to.id), payload: canonical(form)}}
	}},
	{name: "high heads", tries: "statuses in the name of honest gateways that claim heads at 2^48", volley: func(f *foe, n int) []shot { return f.claims(ledger.MaxHeight - uint64(n%1000)) }},
	{name: "low heads", tries: "statuses in the name of honest gateways that claim other blocks at height 1", volley: func(f *foe, n int) []shot { return f.claims(1 + uint64(n%4)) }},
	{name: "strangers' heads", tries: "statuses and rosters of a million invented gateways", volley: func(f *foe, n int) []shot {
		id := f.stranger()
		return []shot{
			{topic: f.topics.Status(id), payload: peer.Status{Height: uint64(n + 1), Head: f.hash(), Roster: []ledger.Hash{f.hash()}}.Encode()},
			{topic: f.topics.Roster(), payload: peer.Heads{From: id, Heads: f.hashes(ledger.MaxRosterHeads)}.Encode()},
		}
	}},
	{name: "digests", tries: "statuses of honest gateways with another digest each time, so that all heads are compared", volley: func(f *foe, _ int) []shot {
		to := f.victim()
		s := peer.Status{Height: 1, Head: f.hash()}
		f.fill(s.Held[:])
		return []shot{{topic: f.topics.Status(to.id), payload: s.Encode()}}
	}},
	{name: "forged frontiers", tries: "frontiers in the name of honest witnesses, heads at 10^9, unsigned", rate: 100, volley: func(f *foe, _ int) []shot {
		to := f.victim()
		var refs []ledger.Ref
		for range 64 {
			refs = append(refs, ledger.Ref{Author: f.stranger(), Height: 1e9, Hash: f.hash()})
		}
		slices.SortFunc(refs, func(a, b ledger.Ref) int { return slices.Compare(a.Author[:], b.Author[:]) })
		fr := must(ledger.SignFrontier(f.net, f.newKey(), 1, refs))
		fr.Witness = to.id
		return []shot{{topic: f.topics.Frontier(to.id), payload: canonical(fr)}}
	}},
	{name: "asks", tries: "questions for everything, by gateways, insiders and invented askers", volley: func(f *foe, n int) []shot {
		froms := []ledger.KeyID{f.stranger(), f.id, f.victim().id}
		return []shot{{topic: f.topics.Ask(f.target.id), payload: f.everything(froms[n%len(froms)]).Encode()}}
	}},
	{name: "reversed asks", tries: "questions for ranges that run backwards, overlap or have no end", volley: func(f *foe, n int) []shot {
		a := f.everything(f.stranger())
		r := a.Ranges[0]
		switch n % 3 {
		case 0:
			a.Ranges[0].From, a.Ranges[0].To = r.To, r.From
		case 1:
			a.Ranges = append(a.Ranges, r, r)
		case 2:
			a.Ranges[0].To = ledger.MaxHeight + 1
		}
		return []shot{{topic: f.topics.Ask(f.target.id), payload: a.Encode()}}
	}},
	{name: "gives nobody asked for", tries: "answers from strangers and in the name of peers, with true and with invented heads", volley: func(f *foe, n int) []shot {
		g := peer.Give{From: f.stranger(), Heads: []ledger.Ref{{Author: f.victim().id, Height: uint64(n + 1), Hash: f.hash()}}}
		if n%2 == 0 {
			g.From = f.other().id
		}
		if s, ok := f.overheard("block"); ok {
			g.Blocks = [][]byte{s.payload}
		}
		return []shot{{topic: f.topics.Give(f.target.id), payload: g.Encode()}}
	}},
	{name: "empty gives", tries: "answers in the name of a peer that say: nothing held, or: more to come", volley: func(f *foe, n int) []shot {
		return []shot{{topic: f.topics.Give(f.target.id), payload: peer.Give{From: f.other().id, More: uint8(n % 2), Told: []ledger.KeyID{f.target.id}}.Encode()}}
	}},
	{name: "giant gives", tries: "answers in the name of a peer, full to the limit with blocks that are held", volley: func(f *foe, n int) []shot {
		g := peer.Give{From: f.other().id}
		for room := 60 << 10; room > 0; {
			s, ok := f.overheard("block")
			if !ok {
				return nil
			}
			g.Blocks = append(g.Blocks, s.payload)
			room -= len(s.payload) + 5
		}
		return []shot{{topic: f.topics.Give(f.target.id), payload: g.Encode()}}
	}},
	{name: "statements", tries: "redemptions with codes that no ticket knows, and statements that no admin signed", volley: func(f *foe, _ int) []shot {
		code, board := f.newKey(), f.newKey()
		pub := must(ledger.PublicKeyOf(board))
		s := must(ledger.SignStatement(f.net, ledger.Statement{BuildsOn: f.cite, Time: 1, Changes: []ledger.Change{
			{Kind: ledger.ChangeRedeem, Subject: must(ledger.PublicKeyOf(code)).ID(), Key: pub},
		}}, code, board))
		enrol := must(ledger.SignStatement(f.net, ledger.Statement{BuildsOn: f.cite, Time: 1, Changes: []ledger.Change{
			{Kind: ledger.ChangeEnrol, Name: "mallory", Key: pub, Roles: ledger.RoleGateway | ledger.RoleQuality},
		}}, code))
		g := peer.Give{From: f.other().id, Statements: [][]byte{s.Raw(), enrol.Raw()}}
		return []shot{
			{topic: f.topics.Give(f.target.id), payload: g.Encode()},
			{topic: f.topics.Roster(), payload: peer.Heads{From: f.other().id, Heads: []ledger.Hash{s.Hash()}}.Encode()},
		}
	}},
	{name: "invented roster", tries: "roster heads that do not exist, retained, in the name of a peer", volley: func(f *foe, _ int) []shot {
		return []shot{{topic: f.topics.Roster(), payload: peer.Heads{From: f.other().id, Heads: f.hashes(ledger.MaxRosterHeads)}.Encode(), retained: true}}
	}},
	{name: "slander", tries: "evidence against honest gateways: one true block, one spoilt", volley: func(f *foe, _ int) []shot {
		s, ok := f.overheard("block")
		if !ok {
			return nil
		}
		b, err := ledger.ParseBlock(f.net, s.payload)
		if err != nil {
			return nil
		}
		ev := must(ledger.NewEvidence(f.net, []ledger.SignedHeader{b.Signed()}, []ledger.SignedHeader{f.respoilt(b).Signed()}))
		return []shot{{topic: f.topics.Evidence(b.Header().Author), payload: ev.Raw(), retained: true}}
	}},
	{name: "obituaries", tries: "offline statuses and empty retained messages in the place of honest gateways'", volley: func(f *foe, n int) []shot {
		to := f.victim()
		s := shot{topic: f.topics.Status(to.id), payload: peer.Status{Offline: 1}.Encode(), retained: true}
		if n%2 == 0 {
			s.payload = nil
		}
		return []shot{s, {topic: f.topics.Frontier(to.id), retained: true}, {topic: f.topics.Roster(), retained: true}, {topic: f.topics.Evidence(to.id), retained: true}}
	}},
	{name: "control characters", tries: "topics and names with control characters, direction marks and huge runes", volley: func(f *foe, n int) []shot {
		prefix := f.topics.Roster()[:len(f.topics.Roster())-len("roster")]
		odd := []string{"\x1b[2J\x1b[31m", "\u202e\u2066", "\n2026-01-01 forged line", string(longText('\U0010FFFF', 200)), "\x7f\u0085", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢\u0301\u0301\u0301"}
		return []shot{{topic: prefix + "status/" + odd[n%len(odd)], payload: []byte(odd[(n/7)%len(odd)])}}
	}},
	{name: "mutations", tries: "a seeded fuzzer on what honest gateways say", volley: func(f *foe, _ int) []shot { return f.changed("", f.mutate) }},
}

func longText(r rune, n int) []rune {
	t := make([]rune, n)
	for i := range t {
		t[i] = r
	}
	return t
}

// shapes are CBOR items in canonical form that are no message.
var shapes = [][]byte{
	{0xa0},
	{0x80},
	{0xf6},
	{0xf5},
	{0x00},
	{0x60},
	{0x40},
	{0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0},
	{0xc1, 0x00},
	{0xa1, 0x01, 0x01},
	{0xa1, 0x01, 0x50},
	{0xa1, 0x20, 0x00},
	{0xa1, 0x18, 0x63, 0x00},
	{0x83, 0x40, 0x40, 0x80},
	{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	{0x5b, 0, 0, 0, 1, 0, 0, 0, 0},
	{0xbb, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
	{0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x80},
	{0x9f, 0xff},
	{0xa2, 0x01, 0x00, 0x01, 0x00},
	{0x83, 0x58, 0x00, 0x40, 0x80},
}

// everywhere is a payload on each topic that the target reads, twice on some.
func (f *foe) everywhere(payload []byte) []shot {
	to, self := f.other().id, f.target.id
	var out []shot
	for _, topic := range []string{
		f.topics.Block(to), f.topics.Frontier(to), f.topics.Evidence(to), f.topics.Status(to), f.topics.Roster(),
		f.topics.Ask(self), f.topics.Give(self), f.topics.Status(self),
	} {
		out = append(out, shot{topic: topic, payload: payload})
	}
	return out
}

// changed is something overheard on a channel and changed.
func (f *foe) changed(channel string, change func([]byte) []byte) []shot {
	s, ok := f.overheard(channel)
	if !ok {
		return nil
	}
	s.payload = change(slices.Clone(s.payload))
	return []shot{s}
}

// mutate changes bytes as fuzzers do.
func (f *foe) mutate(p []byte) []byte {
	for range 1 + f.random.IntN(4) {
		if len(p) == 0 {
			return f.fill(make([]byte, 16))
		}
		i := f.random.IntN(len(p))
		j := i + f.random.IntN(len(p)-i)
		switch f.random.IntN(6) {
		case 0:
			p[i] = byte(f.random.Uint32())
		case 1:
			p = slices.Delete(p, i, j)
		case 2:
			p = slices.Insert(p, i, p[i:j]...)
		case 3:
			p = slices.Insert(p, i, f.fill(make([]byte, f.random.IntN(64)))...)
		case 4:
			f.fill(p[i:j])
		case 5:
			if s, ok := f.overheard(""); ok {
				p = append(p[:i:i], s.payload[min(i, len(s.payload)):]...)
			}
		}
	}
	return p
}

func (f *foe) hashes(n int) []ledger.Hash {
	hs := make([]ledger.Hash, n)
	for i := range hs {
		hs[i] = f.hash()
	}
	slices.SortFunc(hs, func(a, b ledger.Hash) int { return slices.Compare(a[:], b[:]) })
	return hs
}

// other is an honest gateway that is not the target.
func (f *foe) other() gateway { return f.honest[1+f.random.IntN(len(f.honest)-1)] }

// claims are statuses of every honest gateway with a head that does not exist.
func (f *foe) claims(height uint64) []shot {
	var out []shot
	for _, g := range f.honest {
		out = append(out, shot{topic: f.topics.Status(g.id), payload: peer.Status{Height: height, Head: f.hash(), Roster: f.hashes(4)}.Encode()})
	}
	return out
}

// everything is the largest question.
func (f *foe) everything(from ledger.KeyID) peer.Ask {
	a := peer.Ask{From: from, All: 1, Hashes: f.hashes(peer.MaxHashes)}
	ids := []ledger.KeyID{f.id}
	for _, g := range f.honest {
		ids = append(ids, g.id)
	}
	slices.SortFunc(ids, func(a, b ledger.KeyID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		a.Ranges = append(a.Ranges, peer.Range{Author: id, From: 1, To: ledger.MaxHeight})
	}
	return a
}
