import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.sensitiveword.SensitiveWordListResult;
import java.util.List;
import java.util.Set;

/** Sensitive words. */
final class Words {
    private static final JMessageClient CLIENT = World.CLIENT;

    private Words() {}

    static void flows() {
        Suite.flow("sensitive words", Words::words);
        Suite.flow("the filter of words", Words::filter);
    }

    private static String word(String kind) {
        String fresh = World.fresh(kind);
        return fresh.substring(Math.max(0, fresh.length() - 10));
    }

    private static void words() throws Exception {
        int before = CLIENT.getSensitiveWordList(0, 1).getTotal();
        String one = word("a"), two = word("b"), three = word("c");
        Check.empty(204, CLIENT.addSensitiveWords(one, two));
        Check.empty(204, CLIENT.addSensitiveWords(Set.of(one)));
        SensitiveWordListResult got = CLIENT.getSensitiveWordList(before, 10);
        Check.equal(List.of(before + 2, before, 2), List.of(got.getTotal(), got.getStart(), got.getCount()));
        Check.equal(List.of(one, two), got.getWords().stream().map(SensitiveWordListResult.Word::getName).toList());
        Check.time(got.getWords().get(0).getItime());
        Check.empty(204, CLIENT.updateSensitiveWord(three, one));
        List<String> names = CLIENT.getSensitiveWordList(0, 100).getWords().stream().map(SensitiveWordListResult.Word::getName).toList();
        Check.that(names.contains(three) && !names.contains(one), names);
        Check.empty(204, CLIENT.deleteSensitiveWord(two));
        Check.empty(204, CLIENT.deleteSensitiveWord(two));
        Check.equal(before + 1, CLIENT.getSensitiveWordList(0, 1).getTotal());
        Check.refused(400, 899003, () -> CLIENT.updateSensitiveWord("new", word("d")));
    }

    private static void filter() throws Exception {
        String admin = World.admin(), name = World.user(), word = word("w");
        CLIENT.addSensitiveWords(word);
        Check.equal(0, CLIENT.getSensitiveWordStatus().getStatus());
        CLIENT.sendSingleTextByAdmin(name, admin, Messages.text("a " + word));
        Check.empty(204, CLIENT.updateSensitiveWordStatus(1));
        try {
            Check.equal(1, CLIENT.getSensitiveWordStatus().getStatus());
            Check.refused(400, 803009, word, () -> CLIENT.sendSingleTextByAdmin(name, admin, Messages.text("a " + word)));
        } finally {
            Check.empty(204, CLIENT.updateSensitiveWordStatus(0));
        }
        CLIENT.sendSingleTextByAdmin(name, admin, Messages.text("a " + word));
    }
}
