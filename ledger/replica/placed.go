package replica

import "traveler.example/ledger"

func readTxRecord(r reader, tx ledger.TxID) (txRecord, bool, error) {
	return read[txRecord](r, keyTx+str(tx))
}

// readValid is readTxRecord of a transaction that is valid somewhere; ok is false
// for all others.
func readValid(r reader, tx ledger.TxID) (validRecord, bool, error) {
	rec, ok, err := readTxRecord(r, tx)
	return rec.validRecord, ok && rec.Valid, err
}

// txCounts reports whether a transaction is valid in a block that counts.
func txCounts(r reader, tx ledger.TxID) (bool, error) {
	v, ok, err := readValid(r, tx)
	return ok && !v.Uncounted, err
}

// placedAt returns what is known of one placement of a transaction.
func placedAt(r reader, tx ledger.TxID, rec txRecord, p ledger.Place) (placedRecord, bool, error) {
	if p == rec.First {
		return rec.Placed, true, nil
	}
	if rec.Others == 0 {
		return placedRecord{}, false, nil
	}
	return read[placedRecord](r, keyPlaced+str(tx)+placeKey(p))
}

// notePlacement adds a placement that is not judged yet, and reports whether the
// transaction is new. Which placement the transaction's own record holds follows
// from the places alone, as does everything that replicas share.
func (e *engine) notePlacement(tx ledger.TxID, p ledger.Place) (first bool, err error) {
	key := keyTx + str(tx)
	rec, ok, err := readTxRecord(e, tx)
	if err != nil {
		return false, err
	}
	if !ok {
		save(e, key, txRecord{First: p, Placed: placedRecord{Status: Waiting}})
		return true, nil
	}
	if _, known, err := placedAt(e, tx, rec, p); known || err != nil {
		return false, err
	}
	if p.Less(rec.First) {
		save(e, keyPlaced+str(tx)+placeKey(rec.First), rec.Placed)
		rec.First, rec.Placed = p, placedRecord{Status: Waiting}
	} else {
		save(e, keyPlaced+str(tx)+placeKey(p), placedRecord{Status: Waiting})
	}
	rec.Others++
	save(e, key, rec)
	return false, nil
}

// placements reads all placements of a transaction, in the order of places.
func placements(r reader, tx ledger.TxID) ([]Placed, error) {
	rec, ok, err := readTxRecord(r, tx)
	if err != nil || !ok {
		return nil, err
	}
	return placementsOf(r, tx, rec)
}

func placementsOf(r reader, tx ledger.TxID, rec txRecord) ([]Placed, error) {
	placed := func(p ledger.Place, rec placedRecord) Placed {
		return Placed{Place: p, Tx: tx, Status: rec.Status, Reason: rec.Reason, For: rec.For}
	}
	out := []Placed{placed(rec.First, rec.Placed)}
	if rec.Others == 0 {
		return out, nil
	}
	var failed error
	prefix := keyPlaced + str(tx)
	err := r.scan(prefix, "", func(key string, value []byte) bool {
		var rec placedRecord
		if failed = decode(key, value, &rec); failed != nil {
			return false
		}
		out = append(out, placed(placeOf(key[len(prefix):]), rec))
		return true
	})
	if err == nil {
		err = failed
	}
	return out, err
}
