package hostile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/peer"
	"traveler.example/ledger"
)

// insiders are the attacks of who has an enrolled key. What it seals in the right
// form counts, whatever it says: that is what enrolment means.
var insiders = []attack{
	{name: "deep chain", tries: "valid empty blocks, each on the one before, without pause", rate: 300, volley: func(f *foe, _ int) []shot {
		return []shot{f.extend()}
	}},
	{name: "full blocks", tries: "blocks of 60 KiB of void transactions", rate: 10, volley: fullBlocks},
	{name: "intakes", tries: "items with sixteen tags each, a hundred in a block, to bloat the views", rate: 4, volley: func(f *foe, _ int) []shot {
		var txs []ledger.Tx
		for range 32 {
			i := ledger.Intake{
				Station: f.station, Label: fmt.Sprintf("FOE-%d", f.next()), Order: f.order, Product: "pin",
				Options: []ledger.Option{{Task: "drill", Operation: "drill", Place: "DRILLING"}},
			}
			for range ledger.MaxTags {
				i.Tags = append(i.Tags, fmt.Sprintf("FFFF-%09d-%s", f.next(), strings.Repeat("t", 40)))
			}
			slices.Sort(i.Tags)
			txs = append(txs, f.tx(i, ledger.Hash{}))
		}
		return []shot{f.extend(txs...)}
	}},
	{name: "waits", tries: "transactions that wait for ever for what does not exist", rate: 20, volley: func(f *foe, _ int) []shot {
		var txs []ledger.Tx
		for range 50 {
			txs = append(txs, f.tx(ledger.Report{Station: f.station, Operation: "drill", Task: "drill", Outcome: ledger.OutcomeOK}, f.hash(), f.hash()))
		}
		return []shot{f.extend(txs...)}
	}},
	{name: "unknown kinds", tries: "transactions of kinds that no version knows", rate: 20, volley: func(f *foe, n int) []shot {
		kind := ledger.Kind(40 + n%80)
		return []shot{f.extend(f.tx(ledger.Unknown{Number: kind, Bytes: canonical(map[int]string{1: string(longText('?', 2000))})}, f.hash(), f.hash()))}
	}},
	{name: "odd words", tries: "labels and tags with control characters, direction marks and huge runes", rate: 20, volley: func(f *foe, n int) []shot {
		odd := []string{"\x1b[2J", "\u202e\u2066", "a\nb", "\U0010FFFF\U0010FFFF", "\u0301\u0301\u0301"}
		t, err := ledger.NewTx(f.net, ledger.Tx{Sender: f.id, Time: 1, Item: f.hash(), Body: ledger.Misroute{Station: f.station, Tag: odd[n%len(odd)]}})
		if err != nil {
			t = f.void() // the door is shut already where it is made
		}
		return []shot{f.extend(t)}
	}},
	{name: "conflicts", tries: "items of its own with two histories each, one line of the journal for every one", rate: 4, volley: (*foe).quarrel},
	{name: "spoilt past", tries: "blocks with a garbage signature under a signed successor", rate: 40, volley: func(f *foe, _ int) []shot {
		first := f.seal(f.head, nil, f.void())
		spoilt := f.respoilt(first)
		f.keep(spoilt)
		last := f.seal(ledger.MarkOf(spoilt), nil)
		f.head = ledger.MarkOf(last)
		return []shot{f.live(last), f.live(spoilt), f.live(first)}
	}},
	{name: "branches", tries: "a thousand blocks at one height", rate: 60, volley: func(f *foe, _ int) []shot {
		return []shot{f.live(f.seal(f.head, nil, f.void()))}
	}},
	{name: "joins", tries: "blocks that join branches made for it", rate: 60, volley: func(f *foe, _ int) []shot {
		one, other := f.seal(f.head, nil, f.void()), f.seal(f.head, nil, f.void())
		also := ledger.MarkOf(other)
		both := f.seal(ledger.MarkOf(one), &also)
		f.head = ledger.MarkOf(both)
		return []shot{f.live(one), f.live(other), f.live(both)}
	}},
	{name: "gaps", tries: "signed blocks of its own at great heights that link to nothing", rate: 200, volley: func(f *foe, n int) []shot {
		b := must(ledger.Seal(f.net, f.key, ledger.Draft{
			Prev: ledger.Mark{Ref: ledger.Ref{Author: f.id, Height: 1 << (n % 48), Hash: f.hash()}}, Skip: f.hash(), Time: 1, Roster: f.cite,
		}))
		return []shot{f.live(b.UnverifiedBlock)}
	}},
	{name: "unknown roster", tries: "signed blocks that cite roster statements which do not exist", rate: 200, volley: func(f *foe, _ int) []shot {
		b := must(ledger.Seal(f.net, f.key, ledger.Draft{Prev: f.head, Skip: f.hash(), Time: 1, Roster: f.hashes(ledger.MaxRosterHeads)}))
		return []shot{f.live(b.UnverifiedBlock)}
	}},
	{name: "lying frontiers", tries: "frontiers, truly signed, over heads at 10^9 of honest and invented authors", rate: 50, volley: func(f *foe, _ int) []shot {
		var refs []ledger.Ref
		for range 200 {
			refs = append(refs, ledger.Ref{Author: f.stranger(), Height: 1e9, Hash: f.hash()})
		}
		for _, g := range f.honest {
			refs = append(refs, ledger.Ref{Author: g.id, Height: 1e9, Hash: f.hash()})
		}
		slices.SortFunc(refs, func(a, b ledger.Ref) int { return slices.Compare(a.Author[:], b.Author[:]) })
		return []shot{{topic: f.topics.Frontier(f.id), payload: must(ledger.SignFrontier(f.net, f.key, time.Now().UnixMilli(), refs)).Raw()}}
	}},
	{name: "evidence", tries: "true evidence against itself, another pair each time", rate: 100, volley: func(f *foe, _ int) []shot {
		one, other := f.seal(f.head, nil, f.void()), f.seal(f.head, nil, f.void())
		ev := must(ledger.NewEvidence(f.net, []ledger.SignedHeader{one.Signed()}, []ledger.SignedHeader{other.Signed()}))
		return []shot{{topic: f.topics.Evidence(f.id), payload: ev.Raw(), retained: true}}
	}},
	{name: "usurped items", tries: "verdicts and rulings on honest items, without the right to them", rate: 20, volley: func(f *foe, _ int) []shot {
		s, ok := f.overheard("block")
		if !ok {
			return nil
		}
		b, err := ledger.ParseBlock(f.net, s.payload)
		if err != nil || len(b.Txs()) == 0 {
			return nil
		}
		t := b.Txs()[0]
		verdict := f.tx(ledger.Verdict{Station: f.station, Operation: "drill", Task: "drill", Ruling: ledger.SetAside, Reason: "mine"}, t.ItemID(), t.ID())
		scrap := must(ledger.SignTx(f.net, ledger.Tx{Time: 1, Item: t.ItemID(), After: []ledger.Hash{t.ID()}, Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "mine"}}, f.key))
		return []shot{f.extend(verdict, scrap)}
	}},
	{name: "insider's asks", tries: "questions for everything at the pace of an enrolled gateway, and hashes by the hundred", volley: func(f *foe, _ int) []shot {
		return []shot{{topic: f.topics.Ask(f.target.id), payload: f.everything(f.id).Encode()}}
	}},
	{name: "promises", tries: "heads without end of its own chain, given to whoever asks", rate: 200, volley: func(f *foe, n int) []shot {
		return []shot{
			{topic: f.topics.Status(f.id), payload: peer.Status{Height: 1e9 + uint64(n), Head: f.hash()}.Encode()},
			{topic: f.topics.Give(f.target.id), payload: peer.Give{From: f.id, More: 1, Heads: f.refs(100)}.Encode()},
		}
	}},
}

// fullBlocks are as large as blocks may be, nearly.
func fullBlocks(f *foe, _ int) []shot {
	var txs []ledger.Tx
	for range 200 {
		txs = append(txs, f.tx(ledger.Misroute{Station: strings.Repeat("s", ledger.MaxID), Tag: fmt.Sprintf("%093d", f.next())}, f.hash()))
	}
	return []shot{f.extend(txs...)}
}

// quarrel takes an item in and continues it on two branches.
func (f *foe) quarrel(int) []shot {
	var in, one, other []ledger.Tx
	for range 20 {
		i := f.tx(ledger.Intake{
			Station: f.station, Label: fmt.Sprintf("FOE-%d", f.next()), Order: f.order, Product: "pin",
			Options: []ledger.Option{{Task: "drill", Operation: "drill", Place: f.station}},
		}, ledger.Hash{})
		in = append(in, i)
		for n, txs := range []*[]ledger.Tx{&one, &other} {
			*txs = append(*txs, f.tx(ledger.Verdict{Station: f.station, Operation: "drill", Task: "drill", Ruling: ledger.Accept, Reason: fmt.Sprint(n)}, i.ID(), i.ID()))
		}
	}
	first := f.extend(in...)
	a, b := f.seal(f.head, nil, one...), f.seal(f.head, nil, other...)
	also := ledger.MarkOf(b)
	joined := f.seal(ledger.MarkOf(a), &also)
	f.head = ledger.MarkOf(joined)
	return []shot{first, f.live(a), f.live(b), f.live(joined)}
}

// refs are invented heads of one author, in order.
func (f *foe) refs(n int) []ledger.Ref {
	out := make([]ledger.Ref, n)
	for i := range out {
		out[i] = ledger.Ref{Author: f.id, Height: uint64(1e6 + i), Hash: f.hash()}
	}
	return out
}
