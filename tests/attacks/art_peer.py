"""ART as the peer of single attacks."""

from robustnets.engines.art import import_art


def art_estimator(classifier):
    """The classifier as ART knows it, on TensorFlow."""
    import_art()
    from art.estimators.classification import TensorFlowV2Classifier

    return TensorFlowV2Classifier(
        model=classifier.model,
        nb_classes=classifier.classes,
        input_shape=classifier.image_shape,
        clip_values=(0, 1),
    )


def right_digits(classifier, digits, count):
    """x and y of those among `count` digits not trained on that the classifier has right."""
    x, y = digits[0][1500 : 1500 + count], digits[1][1500 : 1500 + count]
    right = classifier.predict(x).argmax(axis=1) == y
    return x[right], y[right]
