"""An executor that sends everything through pickle, as one on another machine has to."""

import pickle


class Pickling:
    """Carries out work on blocks one after the other, each from its own pickled copy."""

    def map(self, work, blocks, *, workers, done):
        answers = [
            pickle.loads(pickle.dumps(_carried_out(pickle.dumps((work, b))))) for b in blocks
        ]
        for answer in answers:
            if done is not None:
                done(answer)
        return answers


def _carried_out(message):
    work, block = pickle.loads(message)
    read = () if work.read is None else (work.read(block, *work.arguments),)
    found = work.compute(block, *read, *work.arguments)
    return found if work.write is None else work.write(block, found, *work.arguments)
