"""Exports of classical learners, fitted to made-up data: scikit-learn and LightGBM."""
import numpy as np

ROWS, FEATURES, CLASSES = 300, 8, 3


def _data():
    random = np.random.default_rng(1)
    features = random.standard_normal((ROWS, FEATURES)).astype(np.float32)
    scores = features @ random.standard_normal((FEATURES, CLASSES))
    return features, scores.argmax(axis=1), scores[:, 0].astype(np.float32)


def _sklearn(make, regression=False, **options):
    def export(path):
        from skl2onnx import to_onnx
        features, labels, values = _data()
        learner = make().fit(features, values if regression else labels)
        if options:
            options_of = {"options": {id(learner): options}}
        else:
            options_of = {}
        path.write_bytes(to_onnx(learner, features[:1], **options_of).SerializeToString())
    return export


def _logistic():
    from sklearn.linear_model import LogisticRegression
    return LogisticRegression(max_iter=500)


def _forest():
    from sklearn.ensemble import RandomForestClassifier
    return RandomForestClassifier(n_estimators=10, max_depth=5, random_state=1)


def _pipeline():
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=10,
                                                                     random_state=1))


def _network():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((16,), max_iter=300, random_state=1)


def _nearest():
    from sklearn.neighbors import KNeighborsClassifier
    return KNeighborsClassifier()


def _lightgbm(regression):
    def export(path):
        import lightgbm
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType
        features, labels, values = _data()
        made = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
        learner = made(n_estimators=10, num_leaves=7, random_state=1, n_jobs=1, verbose=-1)
        learner.fit(features, values if regression else labels)
        model = convert_lightgbm(learner, target_opset=15, initial_types=[
            ("input", FloatTensorType([None, FEATURES]))])
        path.write_bytes(model.SerializeToString())
    return export


SKLEARN = "skl2onnx"
LIGHTGBM = "lightgbm, onnxmltools"
EXPORTS = {
    "logistic_regression": (SKLEARN, _sklearn(_logistic)),
    "logistic_regression_no_zipmap": (SKLEARN, _sklearn(_logistic, zipmap=False)),
    "random_forest": (SKLEARN, _sklearn(_forest)),
    "random_forest_no_zipmap": (SKLEARN, _sklearn(_forest, zipmap=False)),
    "scaled_boosting": (SKLEARN, _sklearn(_pipeline, regression=True)),
    "perceptron_no_zipmap": (SKLEARN, _sklearn(_network, zipmap=False)),
    "nearest_neighbours_no_zipmap": (SKLEARN, _sklearn(_nearest, zipmap=False)),
    "lightgbm_classifier": (LIGHTGBM, _lightgbm(regression=False)),
    "lightgbm_regressor": (LIGHTGBM, _lightgbm(regression=True)),
}
